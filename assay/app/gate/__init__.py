"""Ingestion Gate: the only way in."""
