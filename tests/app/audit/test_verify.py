"""`assay audit verify` finds any byte flipped, and any record or segment dropped, moved, swapped, cut off or added."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from audit_chains import segments, stored
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from records import PINS
from simulated_worlds import config

from assay.app.audit.verify import verify_chain
from assay.app.audit.witnesses import Witnesses
from assay.app.cli import audit as command
from assay.app.report.evidence import NOTHING_AUDITED, AuditEvidence
from assay.app.run.directory import Run
from assay.app.simulation.log import MemoryStore
from assay.app.stores.segment_journal import HEAD, segment_key
from assay.codecs.audit_segment import MAGIC, read_segment, write_segment
from assay.codecs.columns import I64
from assay.contracts.canonical import canonical

COMPUTED = ("records", "body_bytes", "body_sha256")


def test_a_chain_that_nobody_touched_verifies() -> None:
    store = stored()
    evidence = verify_chain(store, PINS)
    assert (evidence.verified, evidence.records, evidence.segments, evidence.problems) == (True, 10, 5, ())
    assert evidence.head == hashlib.sha256(segments()[-1]).hexdigest()
    assert AuditEvidence.read(store) == evidence


@settings(max_examples=drawn(300), deadline=None)
@given(number=st.integers(0, 4), at=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_any_byte_flipped_is_found_and_its_segment_named_first(number: int, at: int, flip: int) -> None:
    store = stored()
    key = segment_key(number)
    data = bytearray(store.objects[key])
    data[at % len(data)] ^= flip
    store.objects[key] = bytes(data)
    evidence = verify_chain(store, PINS)
    assert not evidence.verified
    assert evidence.problems[0].startswith(f"{key}: "), evidence.problems


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_any_byte_of_the_head_flipped_is_found(at: int, flip: int) -> None:
    store = stored()
    data = bytearray(store.objects[HEAD])
    data[at % len(data)] ^= flip
    store.objects[HEAD] = bytes(data)
    assert not verify_chain(store, PINS).verified


@given(number=st.integers(0, 1), at=st.integers(14 + 1, 10**6), flip=st.integers(1, 255))
def test_a_flip_in_the_content_of_a_record_names_the_record(number: int, at: int, flip: int) -> None:
    store = stored()
    key = segment_key(2)
    values = read_segment(store.objects[key]).values
    body = len(store.objects[key]) - len(values.data)
    offset = body + int(values.starts[number]) + 10 + at % (int(values.lengths[number]) - 10)
    data = bytearray(store.objects[key])
    data[offset] ^= flip
    store.objects[key] = bytes(data)
    (problem, *_) = verify_chain(store, PINS).problems
    assert problem.startswith(f"{key}: ")
    assert f"record {number} " in problem


def _drop(number: int) -> Callable[[dict[str, bytes]], None]:
    def drop(objects: dict[str, bytes]) -> None:
        del objects[segment_key(number)]

    return drop


def _swap(objects: dict[str, bytes]) -> None:
    one, other = segment_key(1), segment_key(2)
    objects[one], objects[other] = objects[other], objects[one]


def _forge_after_the_head(objects: dict[str, bytes]) -> None:
    objects[segment_key(5)] = segments(6)[5]


def _cut_two(objects: dict[str, bytes]) -> None:
    _drop(3)(objects)
    _drop(4)(objects)


def _other_run(objects: dict[str, bytes]) -> None:
    objects[segment_key(2)] = rewritten(objects[segment_key(2)], run={**read_segment(objects[segment_key(2)]).header["run"], "seed": 8})


def _reordered_records(objects: dict[str, bytes]) -> None:
    segment = read_segment(objects[segment_key(3)])
    objects[segment_key(3)] = write_segment(_given(segment.header), segment.values.take(_index(1, 0)))[0]


def _dropped_record(objects: dict[str, bytes]) -> None:
    segment = read_segment(objects[segment_key(3)])
    objects[segment_key(3)] = write_segment(_given(segment.header), segment.values.take(_index(0)))[0]


def _index(*rows: int) -> I64:
    return np.array(rows, np.int64)


def _given(header: object) -> dict[str, object]:
    assert isinstance(header, dict)
    return {name: value for name, value in header.items() if name not in COMPUTED}


def rewritten(data: bytes, **changes: object) -> bytes:
    """A segment with another header that agrees with its body."""
    segment = read_segment(data)
    return write_segment({**_given(segment.header), **changes}, segment.values)[0]


def _field(number: int, **changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(objects: dict[str, bytes]) -> None:
        objects[segment_key(number)] = rewritten(objects[segment_key(number)], **changes)

    return change


def _head_gone(objects: dict[str, bytes]) -> None:
    del objects[HEAD]


def _older_head(objects: dict[str, bytes]) -> None:
    objects[HEAD] = canonical({"sequence": 3, "sha256": hashlib.sha256(segments()[3]).hexdigest()})


def _newer_head(objects: dict[str, bytes]) -> None:
    objects[HEAD] = canonical({"sequence": 6, "sha256": "0" * 64})


def _stray(objects: dict[str, bytes]) -> None:
    objects["audit/segments/notes.txt"] = b"hello"


@pytest.mark.parametrize(
    ("break_it", "first", "words"),
    [
        pytest.param(_drop(0), 0, "missing in the middle", id="the first removed"),
        pytest.param(_drop(2), 2, "missing in the middle", id="one removed"),
        pytest.param(_drop(4), 4, "cut off at the end", id="the last removed"),
        pytest.param(_cut_two, 3, "2 segments are cut off at the end", id="two cut off"),
        pytest.param(_swap, 1, "moved or swapped", id="two swapped"),
        pytest.param(_forge_after_the_head, 5, "beyond the head", id="one forged after the head"),
        pytest.param(_older_head, 4, "beyond the head", id="a head set back"),
        pytest.param(_newer_head, 5, "cut off at the end", id="a head set forward"),
        pytest.param(_reordered_records, 3, "record 0 (audit record 6) is out of sequence", id="records reordered"),
        pytest.param(_dropped_record, 3, "do not have the digest", id="a record dropped from a segment written anew"),
        pytest.param(_other_run, 2, "belongs to another run", id="another run's"),
        pytest.param(_field(2, first_audit=5), 2, "begins with audit record 5, expected 4", id="numbering"),
        pytest.param(_field(2, recorded_at_us=1), 2, "another time than its segment", id="time"),
        pytest.param(_field(2, emitted_through=2), 2, "was emitted before it", id="emitted through"),
        pytest.param(_field(2, ranges=[["FP_BUS_RTDL_V1", 0, 7, 11]]), 2, "which an earlier one has covered", id="offsets covered twice"),
        pytest.param(_field(2, previous="z"), 2, "header $.previous", id="header beside its schema"),
        pytest.param(_field(2, previous="1" * 64), 2, "do not have the digest", id="another segment before it"),
        pytest.param(_field(0, previous="1" * 64), 0, "not the first of a chain", id="no first"),
        pytest.param(_field(4, emitted_through=3), 4, "the head has for them", id="the last one, in a field nothing else checks"),
    ],
)
def test_what_is_wrong_with_a_chain_is_named(break_it: Callable[[dict[str, bytes]], None], first: int, words: str) -> None:
    store = stored()
    before = dict(store.objects)
    break_it(store.objects)
    assert store.objects != before
    evidence = verify_chain(store, PINS)
    assert not evidence.verified
    assert evidence.problems[0].startswith(f"{segment_key(first)}: "), evidence.problems
    assert words in evidence.problems[0]


@pytest.mark.parametrize(("break_it", "where"), [(_head_gone, HEAD), (_stray, "audit/segments/notes.txt")])
def test_a_missing_head_and_a_stray_object_are_named(break_it: Callable[[dict[str, bytes]], None], where: str) -> None:
    store = stored()
    break_it(store.objects)
    assert verify_chain(store, PINS).problems[0].startswith(f"{where}: ")


def test_there_is_nothing_to_verify_where_nothing_was_audited() -> None:
    evidence = verify_chain(MemoryStore(), PINS)
    assert (evidence.verified, evidence.nothing, evidence.problems) == (False, True, (NOTHING_AUDITED,))
    store = stored()
    _head_gone(store.objects)
    assert not verify_chain(store, PINS).nothing


def test_an_audit_that_was_removed_is_not_nothing_where_the_bus_has_its_records() -> None:
    values = [read_segment(data).values for data in segments()]
    evidence = verify_chain(MemoryStore(), PINS, witnesses=Witnesses(on_bus=lambda: iter(values), unreached="the journal was truncated"))
    assert (evidence.verified, evidence.nothing, evidence.on_bus) == (False, False, 10)


@pytest.mark.usefixtures("soon")
def test_the_command_says_that_there_was_nothing_to_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(directory=tmp_path, config=config(), bootstrap="localhost:1", dsn="").save()
    assert command.main(["verify", "--run", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "nothing to verify" in out
    assert "BROKEN" not in out


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("broken", [False, True])
def test_the_command_prints_the_verdict_and_ends_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: bool) -> None:
    run = Run(directory=tmp_path, config=config(), bootstrap="localhost:1", dsn="")
    run.save()
    objects = stored().objects
    if broken:
        objects[segment_key(1)] = objects[segment_key(1)].replace(MAGIC, MAGIC[:-2] + b"9\n")
    for key, data in objects.items():
        run.store.create(key, data)
    assert command.main(["verify", "--run", str(tmp_path)]) == int(broken)
    out = capsys.readouterr().out
    assert "only the chain was checked: Kafka does not answer" in out
    assert ("audit BROKEN" in out and segment_key(1) in out) if broken else ("audit verified: 10 records in 5 segments" in out)
    evidence = AuditEvidence.read(run.store)
    assert evidence is not None
    assert evidence.verified is not broken


class Growing(MemoryStore):
    """A store to which the next segment and then its head are written behind each of the first calls of its reader."""

    def __init__(self, begun: int, *, half: bool) -> None:
        whole = stored()
        super().__init__({segment_key(number): whole.objects[segment_key(number)] for number in range(begun)})
        self._whole, self._next, self._half = whole, begun, half
        self._close(begun)

    def _close(self, segments_there: int) -> None:
        if segments_there:
            self.objects[HEAD] = stored(segments()[:segments_there]).objects[HEAD]

    def _grow(self) -> None:
        if self._half:
            self._close(self._next)
        if self._next < 5:
            self.objects[segment_key(self._next)] = self._whole.objects[segment_key(self._next)]
            self._next += 1
        if not self._half:
            self._close(self._next)

    def read(self, key: str) -> bytes:
        try:
            return super().read(key)
        finally:
            if key == HEAD:
                self._grow()

    def keys(self, prefix: str) -> Iterator[str]:
        found = list(super().keys(prefix))
        self._grow()
        return iter(found)


@pytest.mark.parametrize("half", [False, True], ids=["segment with head", "segment before its head"])
@pytest.mark.parametrize("begun", range(6))
def test_a_chain_that_is_being_written_verifies_as_far_as_its_head_says(begun: int, half: bool) -> None:
    evidence = verify_chain(Growing(begun, half=half), PINS)
    assert evidence.problems == ()
    assert evidence.segments >= begun
    assert evidence.head == hashlib.sha256(segments()[evidence.segments - 1]).hexdigest()
