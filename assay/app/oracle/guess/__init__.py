"""Guesses the mapping of a file from the names of its columns and a sample of its rows. What the file does not say stays open."""
