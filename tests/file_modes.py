"""Which files of a directory somebody else on the machine could look into."""

from __future__ import annotations

from pathlib import Path


def open_to_others(directory: Path) -> list[str]:
    """Every file and directory below, and the directory itself, that group or others may read, write or enter."""
    seen = [directory, *directory.rglob("*")]
    return [f"{path.relative_to(directory)} {path.stat().st_mode & 0o777:o}" for path in seen if path.stat().st_mode & 0o077]
