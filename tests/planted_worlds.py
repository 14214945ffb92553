"""A sealed world of a few planted rows, with the outputs that `assay world check` relates to one another."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from small_graph import IDENTITY, PARAMETERS, TEXT_GATE

from assay.app.stores.objects import ObjectStore
from assay.app.world.making import WorldMaker
from assay.app.world.pack import seal, write_receipt
from assay.engine.output import Column, Kind, Output
from assay.engine.segment import Scene, Segment, State

NOW_US = 1_790_000_000_000_000
ROWS = 6
ENTITIES = ("party_id", "account_id", "instrument_id", "device_id", "ip_id")
KINDS: dict[str, Kind] = {"merchant_id": "id64", "ts_utc": "time", "known_ts_utc": "time"}

Frames = dict[str, pl.DataFrame]


def sound() -> Frames:
    """Rows in which everything belongs together: six payments of one merchant, one case."""
    flow, seq = range(100, 100 + ROWS), range(1, ROWS + 1)
    times = pl.Series(range(1_000, 1_000 + ROWS)).cast(pl.Datetime("us", "UTC"))
    arrivals = pl.DataFrame({"merchant_id": [9] * ROWS, "arrival_seq": seq}, schema_overrides={"merchant_id": pl.UInt64})
    ids = {name: pl.Series(range(number, number + ROWS)) for number, name in enumerate(ENTITIES, 200)}
    entities = arrivals.with_columns(ts_utc=times, **ids)
    flows = entities.with_columns(flow_id=pl.Series(flow))
    events = flows.select("flow_id", "ts_utc").join(pl.DataFrame({"event_seq": [0, 1]}), how="cross")
    events = events.with_columns(ts_utc=pl.col("ts_utc") + pl.duration(microseconds=pl.col("event_seq")))
    timeline = pl.DataFrame({"case_id": [7, 7], "case_event_seq": [0, 1], "flow_id": [100, 101], "ts_utc": times[:2]})
    return {
        "arrival_events_5B": arrivals,
        "s1_arrival_entities_6B": entities,
        "s2_flow_anchor_baseline_6B": flows,
        "s2_event_stream_baseline_6B": events,
        "s3_flow_anchor_with_fraud_6B": flows,
        "s3_event_stream_with_fraud_6B": events,
        "s3_arrival_entities_with_fraud_6B": entities,
        "s4_flow_truth_labels_6B": flows.select("flow_id"),
        "s4_flow_bank_view_6B": flows.select("flow_id"),
        "s4_event_labels_6B": events.select("flow_id", "event_seq"),
        "s4_case_timeline_6B": timeline,
    }


def segment_of(frames: Frames) -> Segment:
    """One segment that makes these rows, in two parts: the first four payments and the others."""
    arrivals = ("arrival_events_5B", "s1_arrival_entities_6B", "s3_arrival_entities_with_fraud_6B")
    keys = dict.fromkeys(arrivals, ("merchant_id", "arrival_seq"))
    outputs = []
    for output_id, frame in frames.items():
        columns = tuple(Column(name, KINDS.get(name, "id"), nullable=frame[name].null_count() > 0) for name in frame.columns)
        named = [name for name in ("case_id", "case_event_seq", "flow_id", "event_seq") if name in frame.columns]
        key = ("case_id", "case_event_seq") if "case_id" in named else tuple(named)
        outputs.append(Output(output_id, "6B", 3, columns, keys.get(output_id, key), "behavioural_context"))

    def make(scene: Scene, part: int) -> Frames:
        return {name: _part(frame, part) for name, frame in frames.items()}

    return Segment("6B", 3, (), (State("S1", (), tuple(outputs), make, lambda _: 2),), (), TEXT_GATE)


def made(store: ObjectStore, change: Callable[[Frames], Frames] = lambda frames: frames) -> tuple[Segment, ...]:
    """Make and seal the rows after a change; the graph that made them."""
    segments = (segment_of(change(sound())),)
    write_receipt(store, IDENTITY, "tiny", NOW_US)
    WorldMaker(store, IDENTITY, PARAMETERS, segments).make()
    seal(store, segments, IDENTITY, NOW_US)
    return segments


def _part(frame: pl.DataFrame, part: int) -> pl.DataFrame:
    """Payments 1 to 4 and flows 100 to 103 are part 0."""
    first = pl.col("flow_id") < 104 if "flow_id" in frame.columns else pl.col("arrival_seq") < 5
    return frame.filter(first if part == 0 else ~first)
