"""The engine's known troubles, one scenario each on stock Faust (`make engine`); ours are in tests/kafka/test_engine_troubles.py."""
