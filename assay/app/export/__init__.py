"""Decisions of a run as Parquet files for notebooks."""
