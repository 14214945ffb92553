"""The list of files in the bundle of a gate: one entry per file, with a locator of its closed schema."""

from __future__ import annotations

import json
from typing import Any

from assay.contracts.json_schema import fault_of

SCHEMA = "output_locator.v1"


def located(data: bytes) -> list[dict[str, Any]]:
    """The entries: locator, part and rows of each file. Raises ValueError for a list, an entry or a locator of another form."""
    entries: Any = json.loads(data)
    for number, entry in enumerate(entries if isinstance(entries, list) else [None]):
        if not isinstance(entry, dict) or type(entry.get("rows")) is not int or entry["rows"] < 0 or "locator" not in entry:
            raise ValueError(f"entry {number} does not have a locator and a number of rows")
        fault = fault_of(SCHEMA, entry["locator"])
        if fault is not None:
            raise ValueError(f"locator {number}: {fault}")
    found: list[dict[str, Any]] = entries
    return found
