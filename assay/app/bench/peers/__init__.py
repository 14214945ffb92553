"""What the lane is compared with: programs of their own, started by `assay bench lane`."""
