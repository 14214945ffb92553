"""Peers of the lane: the same workload on other frameworks. What they are; their code is no part of the product.

A checkout has them in tests/bench/peers; a wheel has none. Each is a program of its own that reads one topic of payments and
writes one topic of answers: the event's id, the 36 feature values in the order of the feature document, the score and the outcome.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from assay.app.settings import Settings
from assay.codecs.avro_decode import decode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import I64, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the folder with the package `bench.peers` of a checkout, and where peers that are Python modules are started
FOLDER: Final = Path(__file__).resolve().parents[3] / "tests"
#: what a peer that reads Avro writes, without a header
ANSWER: Final[dict[str, Any]] = {
    "type": "record",
    "name": "answer",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "values", "type": {"type": "array", "items": "long"}},
        {"name": "score", "type": "long"},
        {"name": "outcome", "type": "string"},
    ],
}


class PeerRound(NamedTuple):
    """Where one round of a peer takes place: broker, group, topics, and a directory of its own."""

    bootstrap: str
    group: str
    source: str
    target: str
    directory: Path


class Peer(NamedTuple):
    """One peer. `prepare` fetches, compiles or installs what it needs, once, saying so; what it gives starts it at a place."""

    prepare: Callable[[Settings, Callable[[str], None]], Callable[[PeerRound], list[str]]]
    #: reads and writes JSON instead of Avro
    documents: bool = False
    #: so slow that it is measured on fewer events
    slow: bool = False
    #: prepared from a package registry: measured only when named
    fetched: bool = False
    #: writes in transactions: its answers count once they are committed
    transactional: bool = False
    #: commits its input seldom, but always when it is stopped
    commits_when_stopped: bool = False


class Answers(NamedTuple):
    """What n events were answered with: ids, feature values int64 (n, 36), scores int64, outcomes."""

    event_ids: Strings
    values: I64
    scores: I64
    outcomes: Strings

    def first(self, count: int) -> Answers:
        """Those to the first events."""
        rows = np.arange(count)
        return Answers(self.event_ids.take(rows), self.values[rows], self.scores[rows], self.outcomes.take(rows))


def known_peers(folder: Path = FOLDER) -> dict[str, Peer]:
    """The peers of a checkout by name; none where there is no checkout."""
    if not (folder / "bench" / "peers" / "registry.py").is_file():
        return {}
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    peers: dict[str, Peer] = importlib.import_module("bench.peers.registry").PEERS
    return peers


def sort_rival(folder: Path = FOLDER) -> Callable[[Settings, Callable[[str], None]], Callable[[Path, Path, int, str], list[str]]]:
    """What prepares DuckDB for `assay bench sort`. Raises Stop(BENCH_INVALID) where there is no checkout."""
    if not (folder / "bench" / "peers" / "duckdb_sort.py").is_file():
        remedy = "Run it in a checkout, or give --no-rival."
        raise Stop(Reason.BENCH_INVALID, "the rival is no part of the package", where=str(folder), remedy=remedy)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    prepare: Callable[[Settings, Callable[[str], None]], Callable[[Path, Path, int, str], list[str]]]
    prepare = importlib.import_module("bench.peers.duckdb_sort").prepare
    return prepare


def answers_of(values: Sequence[bytes], *, documents: bool) -> Answers:
    """What a peer wrote. Raises Stop(BENCH_INVALID) for a record that is no answer."""
    if documents:
        read = [msgspec.json.decode(value) for value in values]
        ids, outcomes = (Strings.of([one[name] for one in read]) for name in ("event_id", "outcome"))
        longs, scores = (np.array([one[name] for one in read], np.int64) for name in ("values", "score"))
        return Answers(ids, longs, scores, outcomes)
    strings = Strings.of(values)
    columns, verdict = decode(compile_schema(ANSWER), strings.data, strings.starts, strings.lengths)
    if verdict.any():
        at = int(verdict.argmax())
        raise Stop(Reason.BENCH_INVALID, f"answer {at} is no Avro record of an answer: {values[at].hex()}")
    read_longs: Any = columns["values"]
    named: Any = columns
    return Answers(named["event_id"], read_longs.children["item"].reshape(len(values), -1), named["score"], named["outcome"])
