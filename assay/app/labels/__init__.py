"""Label store: sole writer of the labels topic."""
