"""How things look as bytes: canonical JSON, digests, Avro and columns."""
