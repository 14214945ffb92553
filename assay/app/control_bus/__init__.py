"""The control bus: READY and what follows it, as messages that have one effect each. Kafka, a folder or Kinesis carries them."""
