"""The only files that import Faust."""
