"""assay: real-time fraud decisions on Kafka, replayable bit for bit."""

__version__ = "0.1.0"
