"""Start everything a run needs as separate processes, watch it to its end, and prove it."""
