"""The sorted view of an output that READY names: its receipt is held to the facts view, so that it is of the verified files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.app.stores.published import published_bytes
from assay.app.stream_view.naming import RECEIPT, named, source_digests, view_root
from assay.app.stream_view.pinned_keys import SORT_KEYS
from assay.app.streamer.facts import RunFacts, Source
from assay.app.streamer.view_port import VIEWS, ViewPort
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_SORT = "Sort the outputs of the bank: `assay oracle sort`, with its folder or S3 prefix."
_REMEDY = "Remove the folder of the view, and sort the output again."


@dataclass(frozen=True)
class ViewFile:
    """A file of a view: its key, rows, and sha256 in hex."""

    key: str
    rows: int
    sha256: str

    def bytes_from(self, port: ViewPort) -> bytes:
        """The published bytes. Raises Stop(OUTSIDE_STREAM_VIEW, OBJECT_MISSING, DIGEST_MISMATCH)."""
        return published_bytes(port, self.key, self.sha256, "a part of the view", _REMEDY)


@dataclass(frozen=True)
class View:
    """Rows of one output in order of time."""

    output_id: str
    files: tuple[ViewFile, ...]
    max_ts_us: int

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(one.rows for one in self.files)


def root_of(facts: RunFacts, source: Source) -> str:
    """The prefix that a streamer of this output may read."""
    return VIEWS if facts.pack_root else source.path


def view_of(port: ViewPort, facts: RunFacts, source: Source) -> View:
    """The view of an output.

    A bank's is sorted beside its files, with a receipt. An imported world has no other files: what the runner verified is the view.
    Raises Stop: MISSING_SORT_KEY, STREAM_RECEIPT_MISSING, STREAM_RECEIPT_MISMATCH.
    """
    if not facts.pack_root:
        return View(source.output_id, tuple(ViewFile(*one) for one in source.files), facts.max_ts_us)
    if source.output_id not in SORT_KEYS:
        raise Stop(Reason.MISSING_SORT_KEY, f"{source.output_id} has no pinned sort key: it does not stream", where=source.output_id)
    key = f"{view_root(source.output_id)}/{RECEIPT}"
    try:
        return _view(_receipt(port, key), facts, source, key)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Stop(Reason.STREAM_RECEIPT_MISMATCH, f"the receipt is of another form: {error}", where=key, remedy=_REMEDY) from None


def _view(receipt: Mapping[str, Any], facts: RunFacts, source: Source, key: str) -> View:
    expected = {
        **named(facts.pack_id, facts.pins.scenario_id, source.output_id),
        **source_digests((path for path, _, _ in source.files), (sha256 for _, _, sha256 in source.files)),
        "engine_run_id": facts.engine_run_id,
        "status": "OK",
    }
    differing = [name for name, value in expected.items() if receipt[name] != value]
    statistics = receipt["sorted_stats"]
    if receipt["raw_stats"] != statistics or statistics["row_count"] != source.rows:
        differing.append("statistics")
    files = tuple(ViewFile(part["path"], part["rows"], part["content_digest"]["hex"]) for part in receipt["parts"])
    if sum(one.rows for one in files) != source.rows:
        differing.append("rows of its parts")
    if differing:
        what = f"the view is not of the files that READY was said for: it differs in {', '.join(differing)}"
        raise Stop(Reason.STREAM_RECEIPT_MISMATCH, what, where=key, remedy=_REMEDY)
    return View(source.output_id, files, instants.parse(statistics["max_ts_utc"]))


def _receipt(port: ViewPort, key: str) -> dict[str, Any]:
    try:
        data = port.read(key)
    except FileNotFoundError:
        raise Stop(Reason.STREAM_RECEIPT_MISSING, "the output is not sorted, or its sort did not end", where=key, remedy=_SORT) from None
    found: dict[str, Any] = json.loads(data)
    return found
