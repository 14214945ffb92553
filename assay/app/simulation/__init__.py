"""Parts of the simulator: the model log, an event loop in virtual time, simulated processes and faults."""
