"""Recompute a run from its journal."""
