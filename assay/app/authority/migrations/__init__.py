"""Revisions of the authority store's schema, for alembic."""
