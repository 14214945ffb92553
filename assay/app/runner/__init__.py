"""Scenario Runner: check a sealed world, publish READY."""
