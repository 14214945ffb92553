"""Proof that an audit chain is whole."""
