"""The vault: which random token stands for which id. Ids themselves are kept nowhere, keyed hashes find their tokens."""
