"""Documents of profiles: those that ship, and somebody's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from assay.app.profiles.documents import SHIPPED


def held(name: str = "local") -> dict[str, Any]:
    """The document of a shipped profile."""
    document: dict[str, Any] = yaml.safe_load(SHIPPED.joinpath(f"{name}.yaml").read_bytes())
    return document


def written(folder: Path, document: Any, name: str = "mine.yaml") -> str:
    """A profile of somebody's own; its path."""
    (folder / name).write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return str(folder / name)
