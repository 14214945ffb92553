"""A look-up reads the segments that the index does not rule out; whatever happens to its rows, the answer is that of the lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from claims import Claim
from receipt_lines import lines_of, may_hold, segment_of
from shown_runs import run_at

from assay.app.gate.index import AdmissionIndex
from assay.app.gate.lookup import Asked, Lookup
from assay.app.gate.receipt_search import receipts_at, receipts_named
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.sealing import Sealing
from assay.app.gate.segment_names import AGAIN_AFTER_S, WAITING_MAX, SegmentNames
from assay.app.gate.segment_rows import add_rows, by_index_of, keys_with_rows, none_ruled_out, row_of
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import log_of, spool_of
from assay.app.gate.standing import RecordMetadata
from assay.app.run.directory import Run
from assay.contracts.errors import Quarantine
from assay.contracts.ids import dedupe_key
from assay.tables.receipt_names import FORM, ID, PLACE, Probe, names_of, place_name, probe_of
from assay.testing import until

POLICY: dict[str, Any] = {"policy_id": "p", "revision": "1", "rules": [], "thresholds": {}}
PER_SEGMENT, SEGMENTS = 20, 12


def ids(segment: int) -> list[str]:
    """The ids of the events of a segment; `again` is in each."""
    return [f"e-{segment}-{at}" for at in range(PER_SEGMENT)] + ["again"]


def lines(segment: int) -> list[str]:
    """Admitted events, one that was sent again, and a refused one."""
    admitted = [lines_of(name, segment % 3, segment * 1_000 + at)[0] for at, name in enumerate(ids(segment)[:-1])]
    return [*admitted, lines_of("again", 9, segment)[1], lines_of(f"refused-{segment}")[3]]


@pytest.fixture
def run(dsn: str, tmp_path: Path) -> Run:
    """A run whose index is on PostgreSQL."""
    made = run_at(tmp_path / "run", POLICY).model_copy(update={"dsn": dsn})
    made.save()
    return made


def names_for(run: Run, process: str = "") -> SegmentNames:
    """What makes rows in one process of its gate."""
    return SegmentNames(AdmissionIndex(run.dsn), run, log_of(RECEIPTS, process))


def write(run: Run, segments: Sequence[int], names: SegmentNames | None, process: str = "") -> None:
    """Seal these segments in a process of this name."""
    prefix = log_of(RECEIPTS, process)
    log = SegmentLog(run.store, prefix, spool_of(run.directory, prefix), sealed=names.sealed if names else None)
    for segment in segments:
        log.append(lines(segment))
        log.seal()
    assert log.close()


@pytest.fixture
def sealed(run: Run) -> Run:
    """Segments of two processes with their rows."""
    for process, segments in (("", range(8)), ("p1", range(8, SEGMENTS))):
        names = names_for(run, process)
        write(run, list(segments), names, process)
        names.close()
    return run


def rows(run: Run) -> set[str]:
    index = AdmissionIndex(run.dsn)
    found = index.ask(lambda connection: keys_with_rows(connection, run.platform_run_id))
    index.close()
    return found


def keys(run: Run) -> list[str]:
    return list(run.store.keys(RECEIPTS))


def sql(run: Run, statement: str, *given: object) -> None:
    with psycopg.connect(run.dsn, autocommit=True) as connection:
        connection.execute(statement, given)


class Read:
    """Rules out what the index does, and remembers it."""

    def __init__(self, run: Run) -> None:
        self._by_index = by_index_of(run)
        self.out: set[str] = set()

    def __call__(self, probes: Sequence[Probe]) -> set[str]:
        self.out = set(self._by_index(probes))
        return self.out


def check(run: Run) -> int:
    """Every name is found where it lies, as without an index; the number of segments that were ruled out in all."""
    total = 0
    for segment in range(SEGMENTS):
        for wanted in (ids(segment)[3], f"refused-{segment}", lines_of(ids(segment)[4])[0][15:47]):
            read = Read(run)
            (found,) = receipts_named(run, wanted, read)
            assert [found] == list(receipts_named(run, wanted, none_ruled_out))
            line = run.store.read(found["segment"]).splitlines()[found["row"]]
            assert f'"{wanted}"'.encode() in line
            total += len(read.out)
        read = Read(run)
        (found,) = receipts_at(run, segment % 3, segment * 1_000 + 7, read)
        assert (found["event_id"], found["row"]) == (ids(segment)[7], 7)
        total += len(read.out)
    again = list(receipts_named(run, "again", Read(run)))
    assert [(one["segment"], one["row"]) for one in again] == [(key, PER_SEGMENT) for key in keys(run)]
    return total


ALL_OUT = SEGMENTS * 4 * (SEGMENTS - 1)


def test_each_sealed_segment_of_each_process_has_a_row_and_a_look_up_reads_one(sealed: Run) -> None:
    assert rows(sealed) == set(keys(sealed)) and len(keys(sealed)) == SEGMENTS
    assert not names_for(sealed).look(), "nothing is left to be made"
    assert check(sealed) >= ALL_OUT - 3, "one name in 9,000 is not ruled out"
    read = Read(sealed)
    assert list(receipts_named(sealed, "nobody", read)) == []
    assert len(read.out) >= SEGMENTS - 1


def test_rows_that_are_gone_cost_reading_and_no_answer(sealed: Run) -> None:
    sql(sealed, "DELETE FROM ig_segments WHERE key < %s", keys(sealed)[5])
    assert check(sealed) < ALL_OUT
    sql(sealed, "DROP TABLE ig_segments")
    assert check(sealed) == 0


def test_rows_of_another_run_of_other_lines_or_of_another_form_rule_nothing_out(sealed: Run) -> None:
    index, of_run = AdmissionIndex(sealed.dsn), sealed.platform_run_id
    one, other = keys(sealed)[:2]
    swapped = row_of(one, sealed.store.read(other))
    assert swapped is not None
    index.ask(lambda connection: add_rows(connection, "another run", [swapped._replace(key=key) for key in keys(sealed)]))
    assert check(sealed) >= ALL_OUT - 3
    sql(sealed, "DELETE FROM ig_segments WHERE platform_run_id = %s AND key = %s", of_run, one)
    right = row_of(one, sealed.store.read(one))
    assert right is not None
    index.ask(lambda connection: add_rows(connection, of_run, [swapped, right]))
    assert check(sealed) >= ALL_OUT - 3 - SEGMENTS * 4, "a segment with two rows is ruled out by both together"
    sql(sealed, "DELETE FROM ig_segments WHERE platform_run_id = %s AND key = %s", of_run, one)
    index.ask(lambda connection: add_rows(connection, of_run, [swapped._replace(form=FORM + 1)]))
    assert check(sealed) <= ALL_OUT - SEGMENTS
    assert one not in rows(sealed), "a row of this form is made beside it"
    index.close()


def test_a_name_that_only_seems_to_be_there_is_not_found(sealed: Run) -> None:
    full = row_of(keys(sealed)[0], sealed.store.read(keys(sealed)[0]))
    assert full is not None
    full = full._replace(digest=b"full", names=b"\xff" * len(full.names))
    index = AdmissionIndex(sealed.dsn)
    index.ask(lambda connection: add_rows(connection, sealed.platform_run_id, [full]))
    index.close()
    read = Read(sealed)
    assert list(receipts_named(sealed, "nobody", read)) == []
    assert keys(sealed)[0] not in read.out


def test_postgresql_and_the_definition_agree_bit_by_bit(sealed: Run) -> None:
    filters = {key: names_of(sealed.store.read(key)) or b"" for key in keys(sealed)}
    probes = [probe_of(f"x-{at}".encode(), ID) for at in range(300)] + [probe_of(place_name(1, at), PLACE) for at in range(300)]
    for probe in probes:
        assert set(by_index_of(sealed)([probe])) == {key for key, names in filters.items() if not may_hold(names, probe)}
    both = probes[0], probe_of(b"again", ID)
    assert set(by_index_of(sealed)(both)) == set(), "one of the names is in each"


def test_rows_that_are_missing_are_made_from_the_segments_by_the_first_process(sealed: Run) -> None:
    sql(sealed, "DELETE FROM ig_segments")
    of_second = names_for(sealed, "p1")
    while of_second.look():
        pass
    of_second.close()
    assert rows(sealed) == {key for key in keys(sealed) if "/p1/" in key}
    first = names_for(sealed)
    while first.look():
        pass
    first.close()
    assert rows(sealed) == set(keys(sealed))
    assert check(sealed) >= ALL_OUT - 3


def test_postgresql_that_is_away_stops_no_sealing_and_its_rows_come_later(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    clock = iter(range(0, 10_000_000, 100))
    away = run.model_copy(update={"dsn": "postgresql://nobody@127.0.0.1:9/none"})
    names = SegmentNames(AdmissionIndex(away.dsn), away, RECEIPTS, lambda: float(next(clock)))
    write(run, [0, 1], names)
    assert (names.look(), names.look()) == (False, False)
    names.close()
    assert len(keys(run)) == 2 and rows(run) == set()
    assert [record.message for record in caplog.records if record.name == "assay.gate.segments"] and caplog.text.count(
        "look-ups read them"
    ) == 1
    names = names_for(run)
    receipts = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS), sealed=names.sealed)
    sealing = Sealing(run, (receipts,), 0.1, names=names)
    sealing.start()
    until(lambda: len(rows(run)) == 2, 30)
    receipts.append(lines(2))
    assert sealing.stop()
    assert rows(run) == set(keys(run)) and len(keys(run)) == 3


def test_a_segment_that_could_not_be_read_is_looked_for_again(run: Run) -> None:
    now_s = [0.0]
    write(run, [0, 1], None)
    names = SegmentNames(AdmissionIndex(run.dsn), run, RECEIPTS, lambda: now_s[0])
    assert names.look()
    away, data = keys(run)[1], run.store.read(keys(run)[1])
    run.store.remove(away)
    assert not names.look()
    run.store.create(away, data)
    now_s[0] = AGAIN_AFTER_S - 0.1
    assert not names.look()
    assert rows(run) == {keys(run)[0]}, "nobody is asked for a while"
    now_s[0] = AGAIN_AFTER_S
    while names.look():
        pass
    names.close()
    assert rows(run) == set(keys(run))


def test_of_more_segments_than_wait_in_memory_the_rows_are_made_again(run: Run) -> None:
    names = names_for(run)
    assert not names.look(), "it has looked once, and there was nothing"
    for at in range(WAITING_MAX + 3):
        segment = segment_of([lines_of(f"e-{at}")[0]])
        key = f"{RECEIPTS}/seg-{at:012d}-000001.ndjson"
        run.store.create(key, segment)
        names.sealed(key, segment)
    while names.look():
        pass
    names.close()
    assert rows(run) == set(keys(run)) and len(keys(run)) == WAITING_MAX + 3


def test_a_line_that_is_not_sealed_lies_in_no_segment(run: Run) -> None:
    SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS)).append(lines(0))
    assert not {"segment", "row"}.intersection(*receipts_named(run, "again", by_index_of(run)))


def test_a_segment_of_lines_that_read_otherwise_has_no_row_and_is_read(run: Run) -> None:
    names, key = names_for(run), f"{RECEIPTS}/seg-000000000000-000001.ndjson"
    run.store.create(key, b'{"event_id":"old","receipt_id":"r"}\n')
    while names.look():
        pass
    names.close()
    assert rows(run) == set()
    assert [one["segment"] for one in receipts_named(run, "old", by_index_of(run))] == [key]


@pytest.fixture
def lookup(sealed: Run) -> Iterator[Lookup]:
    """The look-ups of its gate; the first event of each segment is in the index."""
    index = AdmissionIndex(sealed.dsn)
    claims = [Claim(dedupe_key(sealed.platform_run_id, "traffic", ids(one)[0]), b"h" * 32, one, 5) for one in range(SEGMENTS)]
    batch, _ = index.next_batch(SEGMENTS)
    index.claim(claims, batch)
    index.settle(batch, [RecordMetadata(one % 3, one * 1_000) for one in range(SEGMENTS)])
    made = Lookup(sealed, index, {"traffic": "ns.traffic"})
    yield made
    made.close()


@pytest.mark.parametrize("name", ["event_id", "dedupe_key"])
def test_an_admitted_event_is_found_where_every_row_is_wrong(sealed: Run, lookup: Lookup, name: str) -> None:
    """The index itself says that there must be a receipt."""
    key = dedupe_key(sealed.platform_run_id, "traffic", "e-3-0").hex()
    asked = Asked(name, {"event_id": "e-3-0", "dedupe_key": key}[name])
    right = asyncio.run(lookup.of(asked))
    assert [(one["segment"], one["row"]) for one in right["receipts"]] == [
        (f"{RECEIPTS}/seg-{3 * (PER_SEGMENT + 2):012d}-{PER_SEGMENT + 2:06d}.ndjson", 0)
    ]
    sql(sealed, "UPDATE ig_segments SET names = decode(repeat('00', octet_length(names)), 'hex')")
    assert asyncio.run(lookup.of(asked)) == right
    with pytest.raises(Quarantine) as refused:
        asyncio.run(lookup.of(Asked("event_id", "nobody")))
    assert "assay receipt show" in refused.value.remedy
