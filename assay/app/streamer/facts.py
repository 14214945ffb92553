"""What READY names: the facts view of the run, held to the hash that READY carries. A streamer takes its locators from here only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.app.run.facts_view import facts_document
from assay.app.stores.objects import ObjectStore
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason


@dataclass(frozen=True)
class Source:
    """An output as the runner verified it. `files`: (path, rows, sha256 hex) of each, in order."""

    output_id: str
    path: str
    rows: int
    files: Sequence[tuple[str, int, str]]


@dataclass(frozen=True)
class RunFacts:
    """The facts view of a run that is READY.

    `pack_root`: the folder or S3 prefix of a bank, empty for a world in the run's own store. `engine_run_id`: 32 hex digits.
    """

    pins: Pins
    engine_run_id: str
    pack_id: str
    pack_root: str
    release: str
    sources: Mapping[str, Source]
    ordering: str
    min_ts_us: int
    max_ts_us: int


def facts_of(store: ObjectStore, ready: Mapping[str, Any], pins: Pins) -> RunFacts:
    """The facts view that a READY record refers to.

    Raises Stop as `facts_document`, and Stop(OUTPUT_NOT_STREAMED) for a live run.
    """
    document = facts_document(store, ready, pins)
    if not document["locators"]:
        what = "a live run has no outputs: it decides what is posted to its gate"
        raise Stop(Reason.OUTPUT_NOT_STREAMED, what, where=ready["facts_view_ref"], remedy="Post payments, or begin a run over a world.")
    pack = document["oracle_pack_ref"]
    return RunFacts(
        pins=pins,
        engine_run_id=ready["run_id"].hex(),
        pack_id=pack["oracle_pack_id"],
        pack_root=pack.get("engine_run_root", ""),
        release=pack.get("engine_release", ""),
        sources={locator["output_id"]: _source(locator) for locator in document["locators"]},
        ordering=document["traffic_delivery_mode"],
        min_ts_us=instants.parse(document["min_ts_utc"]),
        max_ts_us=instants.parse(document["max_ts_utc"]),
    )


def _source(locator: Mapping[str, Any]) -> Source:
    files = [(one["path"], one["rows"], one["sha256"]) for one in locator["files"]]
    return Source(locator["output_id"], locator["path"], locator["rows"], files)
