"""Sorted views of the outputs of a sealed pack: what a streamer reads."""
