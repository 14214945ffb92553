"""Workload W on other frameworks, for `assay bench lane`. `registry.py` lists them; docs/benchmarks.md says how each was tuned."""
