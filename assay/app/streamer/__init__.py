"""World Streamer: a READY world, in event-time order, through the gate."""
