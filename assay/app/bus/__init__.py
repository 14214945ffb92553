"""Kafka as the platform uses it: topics, journals, outputs, readers and the checks on them."""
