"""Changelog rows: what the tables know, once per key and interval, and taken back when an id is forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from journals import journal
from simulated_worlds import config

from assay.agents.lane import LaneMachine
from assay.agents.projections import ENTITIES, FEATURES
from assay.agents.step import Emission
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Strings
from assay.codecs.journal_record import BATCH
from assay.codecs.single_object import unpack

WALL_US = 1_800_000_000_000_000


def lane() -> LaneMachine:
    """A lane that has read nothing."""
    return fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A changelog row in the words of the web view's row."""
    if "windows" not in row:
        names = {"first_seen_us": "first_seen_utc", "last_seen_us": "last_seen_utc", "event_count": "event_count"}
        return {ours: row[theirs] for ours, theirs in names.items()}
    windows = {w["name"]: {name: w[name] for name in ("count", "sum_minor", "fraud_count")} for w in row["windows"]}
    return {"last_payment_us": row["last_ts_utc"], "payment_count": row["event_count"], "windows": windows}


def test_changelog_rows_are_the_tables_rows_once_per_key_and_interval() -> None:
    """After a flush the newest changelog row of every key says what the web view reads."""
    one = lane()
    newest: dict[str, dict[str, dict[str, Any]]] = {FEATURES: {}, ENTITIES: {}}
    batches = [r for r in journal("rtdl") if r.kind == BATCH and r.rows]
    interval_us = config().changelog_interval_ms * 1_000
    sent: dict[str, list[int]] = {}
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        wall_us = WALL_US + number * interval_us // 3 + (interval_us if last else 0)
        moved = replace(batch, epoch=0, sequence=number, wall_us=wall_us, ranges=[], watermarks=[])
        out = [emission for emission in one.apply(moved.to_bytes()).emissions if emission.handle in newest]
        for handle, _, keys, values in out:
            assert len(set(keys.tolist())) == len(keys.lengths)
            for key in keys.text():
                sent.setdefault(f"{handle} {key}", []).append(number)
            newest[handle] |= {key: unpack(value or b"")[1] for key, value in zip(map(str, keys.text()), values.tolist(), strict=True)}
    assert all(len(at) <= len(batches) // 3 + 2 for at in sent.values())
    assert max(map(len, sent.values())) > 3
    assert {key.split(":")[0] for key in newest[FEATURES]} == {"customer", "terminal"}
    for handle, rows_by_key in newest.items():
        for key, row in rows_by_key.items():
            shown = one.table("features" if handle == FEATURES else "entities").row(key)
            assert plain(row).items() <= shown.items(), key
            assert (row["entity"], row["id"]) == tuple(key.split(":")) == (shown["entity"], shown["id"])


def test_the_entities_take_turns_within_an_interval() -> None:
    """Each goes out once per interval, at a time of its own; a lane that was idle for an interval lets all go out."""
    one = lane()
    batches = [r for r in journal("rtdl") if r.kind == BATCH and r.rows][:13]
    interval_us = config().changelog_interval_ms * 1_000
    told = []
    for number, batch in enumerate(batches):
        wall_us = WALL_US + number * interval_us // 4 + (interval_us if number == 12 else 0)
        out = one.apply(replace(batch, epoch=0, sequence=number, wall_us=wall_us, ranges=[], watermarks=[]).to_bytes()).emissions
        told.append({key.split(":")[0] for handle, _, keys, _ in out if handle == ENTITIES for key in map(str, keys.text())})
    both, turns = {"customer", "terminal"}, [set(), {"customer"}, set(), {"terminal"}]
    assert told == [both, *turns, *turns, *turns[:3], both]


def test_the_rows_of_forgotten_ids_are_taken_back() -> None:
    """By a tombstone on both changelogs, before the rows of ids that are known again."""
    one = lane()
    batches = [r for r in journal("rtdl") if r.kind == BATCH and r.rows]
    year_us = 366 * 86_400_000_000
    out: list[Emission] = []
    for number, batch in enumerate([*batches, *batches]):
        columns = dict(batch.columns)
        if number >= len(batches):  # the same payments a year later, under other ids of their own
            ids = cast(Strings, columns["row.event_id"])
            columns["row.event_id"] = Strings.of([None if id_ is None else id_ + "-again" for id_ in ids.text()])
            columns["row.ts_us"] = np.asarray(columns["row.ts_us"]) + year_us
        moved = replace(batch, epoch=0, sequence=number, wall_us=WALL_US + number * 10**7, ranges=[], watermarks=[], columns=columns)
        out += one.apply(moved.to_bytes()).emissions
    for handle in (FEATURES, ENTITIES):
        rows_of: dict[bytes | None, list[bool]] = {}
        for _, _, keys, values in (emission for emission in out if emission.handle == handle):
            for key, value in zip(keys.tolist(), values.tolist(), strict=True):
                rows_of.setdefault(key, []).append(value is not None)
        assert all(told[0] and told[-1] and told.count(False) == 1 for told in rows_of.values()), handle
