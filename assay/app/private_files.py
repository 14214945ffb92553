"""What assay writes is for its user only: runs, worlds and reports hold keys and payments."""

from __future__ import annotations

import os


def keep_private() -> None:
    """Files and directories of this process, and of those it starts, are closed to everybody else."""
    os.umask(0o077)
