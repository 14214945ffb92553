"""Backtests over simulated runs, and the same answer worked out in plain Python from two simulations."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gated_worlds import JOURNAL, GatedWorld, gated, simulated
from records import RTDL

from assay.agents.rule_plan import compile_rules
from assay.agents.step import Chunk
from assay.app.lane.assembly import partition_counts
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.policy.documents import Policy
from assay.app.run.directory import Run, RunConfig
from assay.app.simulation.log import ModelLog
from assay.app.stores.objects import DirectoryStore
from assay.codecs.columns import Strings
from assay.codecs.single_object import unpack
from assay.tables.feature_plan import compile_plan

FETCH = 37


class LogSources:
    """What a run left in a model log. `first` says where partitions of a topic begin."""

    def __init__(self, log: ModelLog, partitions: int, first: Mapping[str, int] | None = None) -> None:
        self._log, self._counts, self._first = log, partition_counts(partitions), dict(first or {})
        self.asked: list[str] = []
        self.open = 0

    def journal(self) -> Iterator[bytes]:
        yield from self._log.values(JOURNAL)

    def begins(self, handle: str) -> Mapping[int, int]:
        return dict.fromkeys(range(self._counts[handle]), self._first.get(handle, 0))

    def chunks(self, handle: str, partition: int) -> Generator[Chunk]:
        self.asked.append(handle)
        self.open += 1
        try:
            yield from self._chunks(handle, partition)
        finally:
            self.open -= 1

    def _chunks(self, handle: str, partition: int) -> Iterator[Chunk]:
        records = iter(enumerate(self._log.read((handle, partition), 0, self._log.end((handle, partition)))))
        while batch := list(islice(records, FETCH)):
            offsets = np.array([offset for offset, _ in batch], np.int64)
            yield Chunk(handle, partition, offsets, Strings.of([record.value for _, record in batch]))


class Ran(NamedTuple):
    """A run that came to rest: where its world is, its config, and what it left."""

    run: Run
    world: SealedWorld | None
    log: ModelLog
    partitions: int

    def sources(self, **first: int) -> LogSources:
        return LogSources(self.log, self.partitions, first)


def run_of(directory: Path, config: RunConfig, partitions: int) -> Run:
    return Run(directory=directory, config=config, bootstrap="", dsn="", partitions=partitions)


def ran(directory: Path, world: SealedWorld, config: RunConfig, partitions: int = 3) -> Ran:
    """A world of `directory`/store decided under a config."""
    given: GatedWorld = gated(world, config, partitions, rows_per_mark=100)
    return Ran(run_of(directory, config, partitions), world, simulated(given).log, partitions)


def again(before: Ran, policy: Policy, **changes: Any) -> Ran:
    """The world of a run decided under another policy, in a store of its own."""
    assert before.world is not None
    config = before.run.config.model_copy(update={"features": policy.features, "policy": policy.rules, **changes})
    with tempfile.TemporaryDirectory() as room:
        shutil.copytree(before.run.directory / "store" / "oracle", Path(room) / "store" / "oracle")
        world = open_world(DirectoryStore(Path(room) / "store"), config.manifest_fingerprint)
        return ran(Path(room), world, config, before.partitions)


def policy_of(features: Mapping[str, Any], rules: Mapping[str, Any], name: str = "./mine") -> Policy:
    plan = compile_plan(features)
    return Policy(name, dict(features), dict(rules), plan, compile_rules(rules, plan))


def changed(document: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of a document with fields replaced."""
    return {**copy.deepcopy(dict(document)), **fields}


def decisions(log: ModelLog) -> dict[str, dict[str, Any]]:
    """The decision on each event, as a plain record."""
    found = {}
    for value in log.values(RTDL):
        name, record = unpack(value)
        if name == "decision_response":
            found[record["source_event"]["event_id"]] = record
    return found


class Payment(NamedTuple):
    """What is known of a payment apart from its decision."""

    amount_minor: int
    currency: str
    fraud: bool


def plain_cells(before: ModelLog, after: ModelLog, payments: Mapping[str, Payment]) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """(from, to, currency) → (payments, frauds, amount)."""
    ours, theirs = decisions(before), decisions(after)
    found: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for event in sorted(ours.keys() | theirs.keys()):
        outcomes = [side[event]["outcome"] if event in side else "refused" for side in (ours, theirs)]
        payment = payments[event]
        key = (outcomes[0], outcomes[1], payment.currency)
        count, frauds, amount = found.get(key, (0, 0, 0))
        found[key] = (count + 1, frauds + payment.fraud, amount + payment.amount_minor)
    return found


def plain_reasons(before: ModelLog, after: ModelLog, payments: Mapping[str, Payment]) -> dict[str, dict[str, int]]:
    """Code → its counts."""
    ours, theirs = decisions(before), decisions(after)
    found: dict[str, Counter[str]] = {}
    for event in ours.keys() | theirs.keys():
        was, now = (list(side[event]["reasons"]) if event in side else [] for side in (ours, theirs))
        for code in {*was, *now}:
            counts = found.setdefault(code, Counter())
            counts["before"] += code in was
            counts["after"] += code in now
            counts["gone"] += code in was and code not in now
            counts["new"] += code in now and code not in was
            counts["alone_before"] += was == [code]
            counts["alone_after"] += now == [code]
            counts["frauds_before"] += payments[event].fraud and code in was
            counts["frauds_after"] += payments[event].fraud and code in now
    return {code: dict(counts) for code, counts in found.items()}


def plain_changed(before: ModelLog, after: ModelLog) -> set[str]:
    """Events whose outcome is another one."""
    ours, theirs = ({event: record["outcome"] for event, record in decisions(log).items()} for log in (before, after))
    return {event for event in ours.keys() | theirs.keys() if ours.get(event) != theirs.get(event)}


def world_payments(world: SealedWorld) -> dict[str, Payment]:
    """The payments of a world by event id."""
    frauds = set(world.truth().filter(world.truth()["label"] == 1)["event_id"].to_list())
    rows = [world.stream_part(part).select("event_id", "amount_minor", "currency") for part in world.manifest.stream_view]
    return {event: Payment(amount, currency, event in frauds) for part in rows for event, amount, currency in part.iter_rows()}
