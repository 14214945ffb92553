"""Who may write a run: which run a key names, and who holds its lease under which fence."""
