"""A lane in a process: assembly from the topology, driver, ports, wiring."""
