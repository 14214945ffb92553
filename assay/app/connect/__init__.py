"""Events of a bank's own topics, fed through the gate of a run."""
