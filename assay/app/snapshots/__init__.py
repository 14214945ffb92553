"""Snapshots of lanes: state at a journal sequence, kept in the run's object store."""
