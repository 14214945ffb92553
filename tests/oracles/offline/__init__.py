"""Features of a whole lane at once."""
