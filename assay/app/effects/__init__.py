"""What acts on the world outside: each effector acts once per idempotency key, or can say that it did."""
