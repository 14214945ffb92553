"""Segment 6B, S4: what was true of each flow, what the bank saw of it and when, and the cases that came of it."""
