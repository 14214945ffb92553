"""Policies as documents: where they are read from, whether they can be used, and a first one to begin with."""
