"""A run on disk: its configuration, its directory, and its commands."""
