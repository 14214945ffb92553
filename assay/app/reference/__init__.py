"""Pages generated from contracts, topology and settings."""
