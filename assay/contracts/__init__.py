"""What things mean: ids, pins, instants, envelopes, records, reasons, topics and schemas. Needs the standard library and a YAML reader."""
