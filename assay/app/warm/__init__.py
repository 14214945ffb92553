"""Compiling every kernel before the first record."""
