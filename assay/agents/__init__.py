"""What each component decides: pure steps, the topology value, and the one Faust shell."""
