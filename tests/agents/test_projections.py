"""Changelog rows: what the tables know, once per key and interval, and taken back when an id is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from arrival_lane import CHANGELOGS, ArrivalLane
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import journal
from records import CONTEXT, DAY_US, T0_US, TRAFFIC, context_fact, payment
from simulated_worlds import config
from states import written

from assay.agents.batch import Batch, Context, Result
from assay.agents.lane import LaneMachine
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Columns, Strings
from assay.codecs.journal_record import BATCH
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.handles import CHANGELOG_ENTITIES as ENTITIES
from assay.contracts.handles import CHANGELOG_FEATURES as FEATURES
from assay.contracts.reasons import Reason
from assay.tables.entity_view import EntityView
from assay.tables.feature_view import FeatureView

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
        for handle, _, keys, values, _ in out:
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
        told.append({key.split(":")[0] for handle, _, keys, *_ in out if handle == ENTITIES for key in map(str, keys.text())})
    both, turns = {"customer", "terminal"}, [set(), {"customer"}, set(), {"terminal"}]
    assert told == [both, *turns, *turns, *turns[:3], both]


def check_changelogs(one: ArrivalLane) -> None:
    """At rest the newest record of every key on a compacted changelog is the row of its table, or a tombstone if there is none."""
    tables = {FEATURES: one.lane.table("features"), ENTITIES: one.lane.table("entities")}
    for handle, table in tables.items():
        for key, row in one.newest[handle].items():
            shown = table.row(key)
            if shown is not None and handle == FEATURES and not shown["payment_count"]:
                shown = None  # known by context facts alone
            assert (row is None) == (shown is None), (handle, key)
            assert row is None or plain(row).items() <= shown.items(), (handle, key)
    for e, ids in enumerate(one.step("entity_graph")._graph.entities):
        known = ids.ids(ids.changed_since(-1)).text()
        assert {f"{ids.name}:{id_}" for id_ in known} <= one.newest[ENTITIES].keys(), e


LONG_US = 39 * DAY_US
ROWS = st.lists(
    st.tuples(st.sampled_from([0, DAY_US, LONG_US]), st.sampled_from([CONTEXT, TRAFFIC, TRAFFIC]), st.integers(0, 4)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=drawn(25), deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1_000, 500_000, 3_000_000]), st.booleans(), ROWS), min_size=1, max_size=6))
def test_the_compacted_changelogs_say_of_every_id_what_the_tables_say(records: list[tuple[int, bool, Any]]) -> None:
    """Whatever was forgotten, known again, known by facts alone, or restarted in between, within a record or over several."""
    one, now, number = ArrivalLane(), T0_US, 0
    for wall_us, restart, given_rows in records:
        for step_us, handle, n in given_rows:
            now, number = now + step_us, number + 1
            ids = {"customer": f"c{n}", "terminal": f"t{n % 2}"}
            value = payment(f"x{number}", now, 7, ids) if handle == TRAFFIC else context_fact(f"x{number}", now, ids)
            one.fold({handle: [value]}, wall_us if number % 3 else 0)
        if restart:
            one.restart()
    one.rest()
    check_changelogs(one)


def test_an_id_that_is_forgotten_and_known_again_in_one_record_keeps_its_newer_row() -> None:
    """A tombstone of the older one would come after that row and delete it."""
    one = ArrivalLane()
    one.fold({TRAFFIC: [payment("a", T0_US, 5, {"customer": "c", "terminal": "gone"})]})
    again = [payment("b", T0_US + LONG_US, 7, {"customer": "c"}), payment("d", T0_US + LONG_US + 1, 7, {"customer": "c"})]
    one.fold({TRAFFIC: again}, 5_000_000)
    one.rest()
    features, entities = (one.newest[handle] for handle in (FEATURES, ENTITIES))
    assert (features["customer:c"] or {})["event_count"] == (entities["customer:c"] or {})["event_count"] == 2
    assert features["terminal:gone"] is entities["terminal:gone"] is None


def test_an_id_that_is_known_again_by_a_context_fact_has_an_entity_row_and_no_feature_row() -> None:
    one = ArrivalLane()
    one.fold({TRAFFIC: [payment("a", T0_US, 5, {"customer": "c"})]})
    one.fold({CONTEXT: [context_fact("f", T0_US + LONG_US, {"customer": "c"})]})
    one.rest()
    assert (one.newest[ENTITIES]["customer:c"] or {})["event_count"] == 1
    assert one.newest[FEATURES]["customer:c"] is None


def test_a_row_that_did_not_change_is_not_sent_again() -> None:
    one = ArrivalLane()
    one.fold({TRAFFIC: [payment("a", T0_US, 5, {"customer": "a"}), payment("b", T0_US, 5, {"customer": "b"})]})
    sent = []
    for number in range(3):
        emissions = one.fold({TRAFFIC: [payment(f"c{number}", T0_US + 1, 5, {"customer": "b"})]}, 2_000_000)
        sent.append({(e.handle, key) for e in emissions if e.handle in CHANGELOGS for key in e.keys.text()})
        one.restart()
    assert sent == [{(handle, "customer:b") for handle in CHANGELOGS}] * 3


def test_a_state_of_other_entities_is_refused() -> None:
    step = ArrivalLane().step("projections")
    state = step.state()
    with pytest.raises(Stop) as refused:
        step.restore(state._replace(header={**state.header, "flushed_through": [1]}))
    assert refused.value.reason is Reason.STATE_UNREADABLE


# -- a projection only reads


def assert_only_reads(one: ArrivalLane, emission: Callable[[], object]) -> None:
    """The states of the tables' owners have the same bytes before and after."""
    owners = [one.step(name) for name in ("entity_graph", "online_features")]
    before = [written(owner) for owner in owners]
    emission()
    assert [written(owner) for owner in owners] == before


def used_lane() -> ArrivalLane:
    """A lane with rows that changed, ids that were forgotten, and ids that are known again."""
    one = ArrivalLane(changelog_interval_ms=10**9)
    rows = [payment(f"p{n}", T0_US + n, 5, {"customer": f"c{n}", "terminal": f"t{n % 3}"}) for n in range(60)]
    one.fold({TRAFFIC: rows})
    one.fold({TRAFFIC: [payment(f"q{n}", T0_US + LONG_US, 5, {"customer": f"c{n}", "terminal": f"t{n}"}) for n in range(9)]})
    return one


def project(one: ArrivalLane) -> Result:
    """What the projections make of a record at which the rows of all entities and tombstones are due."""
    step = one.step("projections")
    frames: Mapping[str, Columns] = {"forgotten": {"entity": np.array([0, 0, 1], np.int16), "id": Strings.of(["c1", "c50", "t0"])}}
    result: Result = step.handle(Batch({}, np.zeros(0, np.bool_), Context(0, 1, 9, 2 * 10**15, [], 0), frames))
    return result


def test_a_projection_changes_no_table() -> None:
    one = used_lane()
    assert_only_reads(one, lambda: project(one))
    assert all(len(emission.partitions) for emission in project(used_lane()).emissions)


#: what a projection must not do: the second was its way before it had views
BREACHES: Mapping[str, Callable[[Any, Any], object]] = {
    "it clears versions": lambda entities, features: features._windows[0].versions.clear(np.array([0])),
    "it takes the forgotten ids": lambda entities, features: entities._entities[0].tell(),
    "it frees slots": lambda entities, features: (entities._entities[0].tell(), entities._entities[0].evict()),
    "it clears a line": lambda entities, features: features._windows[0].lines.fill(0),
    "it drops pairs": lambda entities, features: features._windows[0].evict({"customer": np.array([0])}),
    "it counts an event": lambda entities, features: entities._entities[0].fold(
        Strings.of(["x"]), np.ones(1, np.bool_), np.array([99]), np.array([T0_US]), np.array([T0_US + LONG_US]), 9
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_projection_that_changes_a_table_is_found(breach: str) -> None:
    one = used_lane()
    step = one.step("projections")
    with pytest.raises(AssertionError):
        assert_only_reads(one, lambda: (BREACHES[breach](step._entities(), step._features()), project(one)))


SLOTS = np.arange(3)
#: every public method of the views with arguments for it
CALLS: Mapping[type, Mapping[str, tuple[Any, ...]]] = {
    EntityView: {
        "slots": (0,),
        "find": (0, Strings.of(["c1", "new", None])),
        "births": (0,),
        "known": (0, SLOTS),
        "changed_since": (0, -1),
        "keys": (0, SLOTS),
        "ids": (0, Strings.of(["customer:c1"])),
        "rows": (0, SLOTS),
        "slot_of": ("customer", "c1"),
        "row": ("customer", "c1"),
    },
    FeatureView: {
        "changed_since": (0, -1),
        "has_rows": (0, SLOTS),
        "rows": (0, SLOTS),
        "row": (EntityView(()), "customer", "c1"),
    },
}


def arrays_of(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Every array in an answer of a view."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        yield from (array for part in value.values() for array in arrays_of(part))
    elif isinstance(value, tuple):
        yield from (array for part in value for array in arrays_of(part))


@pytest.mark.parametrize("kind", CALLS)
def test_no_method_of_a_view_changes_a_table_nor_do_its_arrays(kind: type) -> None:
    one = used_lane()
    step = one.step("projections")
    view = step._entities() if kind is EntityView else step._features()
    assert type(view) is kind
    public = {name for name in dir(view) if not name.startswith("_")}
    assert public == CALLS[kind].keys(), "a new method needs a call here"

    def call_all() -> None:
        for name, arguments in CALLS[kind].items():
            for array in arrays_of(getattr(view, name)(*arguments)):
                if array.flags.writeable:
                    array.fill(1)

    assert_only_reads(one, call_all)
