"""What would have changed had another policy decided a run: its journal is folded again under both, and the decisions are compared."""
