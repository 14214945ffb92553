"""What an export says of payments beside their decisions: from the file, or from the topic of a live run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from exports import KeptJournal, exported, journal_of, rows
from gated_worlds import generated_world
from records import TRAFFIC
from simulated_worlds import run, small_world

from assay.agents.step import Chunk
from assay.app.export.payments import FilePayments, PostedPayments
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.world_manifest import WorldPart
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack, unpack


class InParts(SealedWorld):
    """A world whose one part is given in pieces of `rows` rows."""

    def __init__(self, world: SealedWorld, rows: int) -> None:
        whole = world.stream_part(world.manifest.stream_view[0])
        self._pieces = {f"{first}": whole.slice(first, rows) for first in range(0, len(whole), rows)}
        parts = [self._part(key, piece["ts_us"]) for key, piece in self._pieces.items()]
        super().__init__(world.store, world.pack, world.manifest.model_copy(update={"stream_view": parts}))
        self.read = list[str]()

    @staticmethod
    def _part(key: str, ts_us: pl.Series) -> WorldPart:
        return WorldPart(key=key, rows=len(ts_us), sha256="", min_ts_us=ts_us[0], max_ts_us=ts_us[-1])

    def stream_part(self, part: WorldPart) -> pl.DataFrame:
        self.read.append(part.key)
        return self._pieces[part.key]


def asked(ids: list[str], ts_us: list[int]) -> pl.DataFrame:
    """Decisions of these event ids and times."""
    frame = pl.DataFrame({"event_id": ids, "ts_utc": ts_us}, schema={"event_id": pl.String, "ts_utc": pl.Int64})
    return frame.with_columns(pl.col("ts_utc").cast(pl.Datetime("us", "UTC")))


def test_payments_of_a_file_have_its_ids_its_kinds_and_a_column_for_each_attribute(tmp_path: Path) -> None:
    world = InParts(generated_world(tmp_path, "transfers", 900, 3), 200)
    known = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    world.read.clear()
    given = FilePayments(world)
    for first in range(0, 900, 250):
        last_read = f"{(first + 249) // 200 * 200}"
        mixed = known.slice(first, 250).sample(150, seed=1, shuffle=True)
        told = given.of(asked([*mixed["event_id"], "posted beside"], [*mixed["ts_us"], mixed["ts_us"][0]]))
        assert world.read[-1] == min(last_read, "800"), "no part behind the last payment is read"
        assert told["source_id"].to_list() == [*mixed["source_id"].cast(pl.String), None]
        assert told["kind"].to_list() == [*mixed["kind"], None]
        for name in world.manifest.attributes:
            assert told[f"attribute_{name}"].to_list() == [*mixed[f"attribute.{name}"], None]
    assert world.read == ["0", "200", "400", "600", "800"], "a part is read once, as the journal passes it"
    assert world.manifest.attributes
    assert given.of(asked([], [])).is_empty()


def with_attributes(value: bytes | None) -> bytes:
    name, body = unpack(value or b"")
    return pack(name, {**body, "attributes": attributes_of(body["event_id"])} if name == "payment" else body)


def attributes_of(event_id: str) -> dict[str, str]:
    return {"n": event_id, "ü": 'a "quoted" one'} if event_id[-1] in "13579" else {}


def test_payments_that_were_posted_have_the_kind_and_the_attributes_that_the_topic_still_holds(tmp_path: Path) -> None:
    world = small_world(payments=60)
    log = run(world, rows_max=7).log
    reads = list[tuple[int, int]]()

    def records(partition: int, first: int, end: int) -> Iterator[Chunk]:
        reads.append((first, end))
        begin = max(first, 5)  # the first five are gone
        held = log.read((TRAFFIC, partition), begin, end - begin)
        yield Chunk(TRAFFIC, partition, np.arange(begin, end, dtype=np.int64), Strings.of(with_attributes(one.value) for one in held))

    exported(tmp_path / "out", KeptJournal(journal_of(world), tmp_path), 50, payments=PostedPayments(records))
    frame = rows(tmp_path / "out")
    told = {event: (kind, text) for event, kind, text in frame.select("event_id", "kind", "attributes").iter_rows()}
    gone = [event for event, (kind, text) in told.items() if kind is None and text is None]
    assert set(gone) == set(frame.filter(pl.col("source_offset") < 5)["event_id"])
    assert 0 < len(gone) < len(frame)
    for event in told.keys() - set(gone):
        assert (told[event][0], json.loads(told[event][1])) == ("card_payment", attributes_of(event))
    assert frame["source_id"].null_count() == len(frame)
    assert all(end - first <= 60 for first, end in reads), "no more of the topic than the span of a part"
