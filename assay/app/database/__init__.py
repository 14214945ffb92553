"""The tables of a run's database, and who may do what with them."""
