"""Record types shared by components."""
