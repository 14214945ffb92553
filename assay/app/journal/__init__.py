"""A lane's journal from outside: shown, verified, snapshotted and truncated while no worker is asked."""
