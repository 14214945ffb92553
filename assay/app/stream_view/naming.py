"""The place and the name of a sorted view, and of what it was sorted from: equal on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from assay.app.stream_view.pinned_keys import SORT_KEYS, TIES

ROOT: Final = "stream_view/ts_utc"
RECEIPT: Final = "_stream_sort_receipt.json"


def view_root(output_id: str) -> str:
    """The key prefix of a view."""
    return f"{ROOT}/output_id={output_id}"


def named(pack_id: str, scenario_id: str, output_id: str) -> dict[str, Any]:
    """What a view is of, with its `stream_view_id`. A pack that is moved keeps its views: its id stands where the engine's folder stood."""
    told = {
        "oracle_pack_id": pack_id,
        "scenario_id": scenario_id,
        "output_id": output_id,
        "sort_keys": [*SORT_KEYS[output_id], *TIES],
        "partition_granularity": "flat",
    }
    view_id = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return {"stream_view_id": view_id, **told}


def source_digests(paths: Iterable[str], sha256s: Iterable[str]) -> dict[str, str]:
    """Digests of the files that a view was sorted from, in the order of their paths: over the paths, and over their sha256."""
    return {"source_locator_digest": _digest(paths), "source_content_digest": _digest(sha256s)}


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
