"""Examples of every document at a border: accepted ones, and refused ones with the reason they must be refused for.

`examples/<document>/<version>/accepted/*.json` holds the value; `refused/*.json` holds {"reason", "value"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from assay import contracts
from assay.contracts.reasons import Reason

FOLDER: Final = Path(contracts.__file__).parent / "examples"


class Example(NamedTuple):
    """One example; `reason` is None where it must be accepted."""

    document: str
    version: str
    name: str
    value: Any
    reason: Reason | None

    def __str__(self) -> str:
        return f"{self.document}.{self.version}/{self.name}"


def examples(document: str | None = None) -> Iterator[Example]:
    """All examples, or those of one document, in order of their paths."""
    for path in sorted(FOLDER.glob(f"{document or '*'}/*/*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found, version, verdict, name = *path.relative_to(FOLDER).parts[:3], path.stem
        if verdict == "accepted":
            yield Example(found, version, name, content, None)
        else:
            yield Example(found, version, name, content["value"], Reason(content["reason"]))
