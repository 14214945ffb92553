"""Reads sealed packs of a generated world, and knows nothing of the engine but their interface documents."""
