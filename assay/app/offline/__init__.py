"""Offline features."""
