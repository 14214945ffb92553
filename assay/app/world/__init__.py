"""Runs the data engine: makes, publishes, gates and checks worlds. No other room of `app` knows the engine."""
