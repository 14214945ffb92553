"""`python -m assay` and the `assay` command hand over to the command line."""

from assay.app.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
