"""Layer 2: how many payments a merchant expects (5A), and which ones come (5B)."""
