"""All access to Kafka: client settings, administration, the reader of topics, producers, a lane's journal and outputs."""
