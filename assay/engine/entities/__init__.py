"""Segment 6A: parties, accounts, instruments, devices, addresses, and who of them is risky."""
