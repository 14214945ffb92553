"""Records written before a schema changed are read as records of today: single ones, in the lanes, and in the audit chain.

The change is planted: today's real schemas become older released ones, and a field with a default is added to what they are then.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import fastavro.utils
import numpy as np
import pytest
from audit_chains import segments, stored
from machines import audit_machine
from records import OTHER_PINS, PINS, RTDL, T0_US, TRAFFIC, chunk, decision, label, outcome, payment
from simulated_worlds import config, decision_digest, run, small_world

from assay.agents.topology import TOPOLOGY
from assay.app.audit.verify import verify_chain
from assay.app.audit.witnesses import Witnesses
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.compare import decisions_of
from assay.app.stores.segment_journal import segment_key
from assay.codecs import single_object
from assay.codecs.columns import Strings
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import HEADER_BYTES, older_types, pack, record_type, resolve, split, type_index, unpack
from assay.contracts import avro_schemas
from assay.contracts.avro_schemas import fingerprint, fingerprint_hex, released
from assay.contracts.compatibility import check
from assay.tables.feature_plan import compile_plan

WALL_US = 1_800_000_000_000_000
ADDED: dict[str, Any] = {"name": "channel", "type": "string", "default": "unknown"}
Plant = Callable[..., None]


def forget() -> None:
    """What is compiled from the schemas of before."""
    for module in (avro_schemas, single_object):
        for found in vars(module).values():
            getattr(found, "cache_clear", lambda: None)()


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Add a field to these records, also where they stand inside another one, and release that."""

    def change(*names: str) -> None:
        today, released_until_then = (
            shutil.copytree(folder, tmp_path / folder.name) for folder in (avro_schemas.CURRENT, avro_schemas.RELEASED)
        )
        monkeypatch.setattr(avro_schemas, "CURRENT", today)
        monkeypatch.setattr(avro_schemas, "RELEASED", released_until_then)
        for path in today.glob("*.avsc"):
            schema = json.loads(path.read_text("utf-8"))
            add_field(schema, names)
            path.write_text(json.dumps(schema), "utf-8")
            (released_until_then / f"{fingerprint_hex(schema)}.avsc").write_text(json.dumps(schema), "utf-8")
        forget()
        check(avro_schemas.current(), released())  # what is planted is a change that may be made

    yield change
    monkeypatch.undo()
    forget()


def add_field(schema: Any, names: tuple[str, ...]) -> None:
    """The field, in every record of these names."""
    for inner in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        add_field(inner, names)
    if isinstance(schema, dict) and schema.get("type") == "record" and schema["name"] in names:
        schema["fields"].insert(-1, ADDED)


@pytest.mark.parametrize("name", sorted(released()))
def test_a_record_of_every_released_schema_is_read_and_written_as_one_of_today(name: str) -> None:
    schema = released()[name]
    parsed = fastavro.parse_schema(single_object._without_logical_types(schema))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, parsed, fastavro.utils.generate_one(parsed))
    value = b"\xc3\x01" + fingerprint(schema).to_bytes(8, "little") + body.getvalue()
    assert unpack(value)[0] == schema["name"]
    assert split(resolve(Strings.of([value]))).tolist() == [type_index(schema["name"])]


def test_values_of_an_older_schema_get_the_default_and_the_others_stay_as_they_are(plant: Plant) -> None:
    old, whole = payment("a", T0_US), unpack(payment("a", T0_US))[1]
    before = set(older_types())
    plant("payment")
    assert set(older_types()) == {*before, old[:HEADER_BYTES]}
    assert unpack(old) == ("payment", {**whole, "channel": "unknown"})
    new, damaged = pack("payment", {**whole, "channel": "web"}), old[:-1]
    values = Strings.of([new, old, None, b"", damaged, decision("a")])
    rewritten = pack("payment", {**whole, "channel": "unknown"})
    assert resolve(values).tolist() == [new, rewritten, None, b"", damaged, decision("a")]
    assert split(resolve(values)).tolist()[:2] == [type_index("payment")] * 2
    assert resolve(untouched := values.take(np.array([0, 2]))) is untouched


def test_events_of_before_they_had_a_place_in_their_source_are_read_as_the_first_ones() -> None:
    told = {"payment": payment("a", T0_US, source_order=7), "label_assertion": label("b", T0_US, "a", 0, source_order=7)}
    for name, value in told.items():
        (before,) = [known for known in older_types().values() if known.name == name]
        whole, stream = unpack(value)[1], io.BytesIO()
        fastavro.schemaless_writer(stream, before.schema, whole)
        assert unpack(before.header + stream.getvalue()) == (name, {**whole, "source_order": 0})


def test_a_world_in_older_schemas_is_decided_acted_on_and_audited_as_in_those_of_today(plant: Plant) -> None:
    world = small_world(payments=40)
    before = decision_digest(run(world).log)
    plant("payment", "label_assertion", "context_fact", "run_ready", "posture")
    assert world.events[-1].value[:HEADER_BYTES] in older_types()
    assert decision_digest(run(world).log) == before


def test_what_is_refused_of_an_older_schema_is_set_aside_as_it_came_with_its_reason(plant: Plant) -> None:
    damaged, other_run = payment("a", T0_US)[:-1], payment("b", T0_US, pins=OTHER_PINS)
    plant("payment")
    lane = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))
    lane.receive(chunk(TRAFFIC, [damaged, b"no header", other_run]))
    entry = lane.next_entry(WALL_US)
    assert entry is not None
    refused = JournalRecord.from_bytes(entry.value).columns
    raw, reason = refused["refused.raw"], refused["refused.reason"]
    assert isinstance(raw, Strings)
    assert isinstance(reason, Strings)
    assert set(zip(raw.tolist(), reason.text(), strict=True)) == {
        (damaged, "BYTES_TRUNCATED"), (b"no header", "SCHEMA_UNKNOWN"), (other_run, "RUN_SCOPE_MISMATCH")
    }  # fmt: skip


def test_decisions_of_an_older_schema_are_acted_on_once(plant: Plant) -> None:
    values = [decision("a"), decision("b"), decision("a")]
    plant("decision_response")
    lane = fold_machine_of(TOPOLOGY.lane("act"), config().model_copy(update=PINS.as_json()), partition_counts(1))
    lane.receive(chunk(RTDL, values))
    entry = lane.next_entry(WALL_US)
    assert entry is not None
    effects = lane.apply(entry.value).effects
    assert effects is not None
    assert effects.source_event_id.text() == ["a", "b"]


def test_a_replay_finds_decisions_of_an_older_schema_on_the_topic(plant: Plant) -> None:
    old = decision("a")
    plant("decision_response")
    found = decisions_of(Strings.of([old, decision("b"), outcome("a")])).tolist()
    assert found == [pack(*unpack(old)), decision("b")]


def test_an_audit_chain_goes_on_over_a_change_of_schema_and_verifies_whole(plant: Plant) -> None:
    before, late = segments(), [decision("late"), outcome("late")]
    plant("decision_response", "action_outcome")
    lane = audit_machine()
    for value in before:
        lane.recover(value)
    lane.unemitted()
    lane.receive(chunk(RTDL, late, first=4 * len(before)))
    assert lane.next_entry(WALL_US) is None
    entry = lane.next_entry(WALL_US + 10**6)
    assert entry is not None
    store = stored((*before, entry.value))
    held = [*(decision(f"e{number}") for number in range(2 * len(before))), decision("late")]  # under the schemas of today
    given = Witnesses(compile_plan(config().features), lambda: iter([Strings.of(held)]))
    evidence = verify_chain(store, PINS, witnesses=given)
    assert evidence.problems == ()
    assert evidence.records == evidence.recomputed == 2 * len(before) + 1
    assert record_type("audit_record").header in store.objects[segment_key(len(before))]
    assert record_type("audit_record").header not in store.objects[segment_key(0)]
