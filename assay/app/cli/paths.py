"""Paths that a command writes to are looked at before it does its work."""

from __future__ import annotations

import os
from pathlib import Path

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def refuse_unwritable(path: Path) -> None:
    """Raises Stop(FILE_REFUSED) where no file can be written: in a folder that is not there, or in place of a folder."""
    if path.is_dir():
        raise _refused("this is a folder, and a file is to be written", path)
    if not path.parent.is_dir():
        raise _refused(f"there is no folder {path.parent}", path)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _refused("this may not be written", path)


def _refused(what: str, path: Path) -> Stop:
    return Stop(Reason.FILE_REFUSED, what, where=str(path), remedy="Name a file in a folder that is there and that you may write to.")
