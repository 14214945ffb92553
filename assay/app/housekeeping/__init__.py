"""The runs of a machine: which there are, and how one is removed with everything it has left on servers that others use."""
