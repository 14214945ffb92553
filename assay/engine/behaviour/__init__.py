"""Segment 6B: who stands behind each arrival, what is paid, and the campaigns in it."""
