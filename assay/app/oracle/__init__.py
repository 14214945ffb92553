"""Import a file of transactions as a sealed world, and read sealed worlds."""
