"""What `assay world check` proves of a folder: gates, bytes, keys, and that arrivals, flows, events and labels belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.app.pack.sealed_pack import sealed_as
from assay.app.progress import unseen
from assay.app.stores.objects import ObjectStore
from assay.app.world.bundles import passed, published_parts
from assay.app.world.making import outputs_by_id
from assay.app.world.publication import Publication
from assay.contracts.errors import Stop
from assay.engine.identity import WorldIdentity
from assay.engine.output import Output
from assay.engine.segment import Segment

ARRIVAL, FLOW, EVENT = ("merchant_id", "arrival_seq"), ("flow_id",), ("flow_id", "event_seq")
CONTEXT = (*ARRIVAL, "ts_utc", "party_id", "account_id", "instrument_id", "device_id", "ip_id")


@dataclass(frozen=True)
class Proof:
    """A claim about a world, and how often it does not hold."""

    claim: str
    breaches: int
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Whether there is no breach."""
        return self.breaches == 0


@dataclass(frozen=True)
class Pair:
    """Two outputs, part by part, that must have the same rows by these keys."""

    claim: str
    left: str
    right: str
    keys: tuple[str, ...]


PAIRS = (
    Pair("every arrival has entities, and only arrivals have", "arrival_events_5B", "s1_arrival_entities_6B", ARRIVAL),
    Pair("every arrival is one flow", "arrival_events_5B", "s2_flow_anchor_baseline_6B", ARRIVAL),
    Pair(
        "fraud changes flows and neither adds nor takes any",
        "s2_flow_anchor_baseline_6B",
        "s3_flow_anchor_with_fraud_6B",
        (*FLOW, *ARRIVAL),
    ),
    Pair("flows and arrival entities of the baseline agree", "s2_flow_anchor_baseline_6B", "s1_arrival_entities_6B", CONTEXT),
    Pair(
        "flows and arrival entities of the fraud world agree",
        "s3_flow_anchor_with_fraud_6B",
        "s3_arrival_entities_with_fraud_6B",
        CONTEXT,
    ),
    Pair("truth labels cover the flows exactly", "s3_flow_anchor_with_fraud_6B", "s4_flow_truth_labels_6B", FLOW),
    Pair("the bank view covers the flows exactly", "s3_flow_anchor_with_fraud_6B", "s4_flow_bank_view_6B", FLOW),
    Pair("event labels cover the events exactly", "s3_event_stream_with_fraud_6B", "s4_event_labels_6B", EVENT),
)
#: stream of events → anchors of its flows
STREAMS = {
    "s2_event_stream_baseline_6B": "s2_flow_anchor_baseline_6B",
    "s3_event_stream_with_fraud_6B": "s3_flow_anchor_with_fraud_6B",
}
TIMELINE, FLOWS = "s4_case_timeline_6B", "s3_flow_anchor_with_fraud_6B"
EVENTS_PER_FLOW = 2


def proofs(
    store: ObjectStore, segments: Sequence[Segment], identity: WorldIdentity, told: Callable[[int, int], object] = unseen
) -> Iterator[Proof]:
    """Each claim with its breaches. `told` is called with (parts read, parts) while their bytes are checked.

    Raises Stop as the seal and the gates do: what they do not let in is not looked at.
    """
    yield Proof("the world is sealed", 0, sealed_as(store)[:12])
    for segment in segments:
        passed(store, segment, identity)
    yield Proof("every gate has passed", 0, f"{len(segments)} gates")
    outputs = outputs_by_id(segments)
    view = Publication(store, identity, outputs)
    for segment in segments:
        for part in published_parts(store, segment, identity):
            view.add(part)
    yield _bytes(view, outputs, told)
    for output in outputs.values():
        yield _unique(view, output)
    for pair in PAIRS:
        if {pair.left, pair.right} <= outputs.keys():
            yield _equal(view, pair)
    for events, flows in STREAMS.items():
        if {events, flows} <= outputs.keys():
            yield _streamed(view, events, flows)
    if {TIMELINE, FLOWS} <= outputs.keys():
        yield _cases(view)


def _bytes(view: Publication, outputs: dict[str, Output] | object, told: Callable[[int, int], object]) -> Proof:
    assert isinstance(outputs, dict)
    parts = [part for output_id in outputs for part in view.parts(output_id)]
    wrong = []
    for number, part in enumerate(parts):
        try:
            view.checked(part)
        except Stop as refusal:
            wrong.append(f"{refusal.reason.value} {part.path}")
        told(number + 1, len(parts))
    return Proof("every byte is the published one", len(wrong), wrong[0] if wrong else f"{len(parts):,} files")


def _unique(view: Publication, output: Output) -> Proof:
    claim = f"{output.output_id}: {', '.join(output.keys)} {'name' if len(output.keys) > 1 else 'names'} one row"
    rows = view.read(output.output_id, None, output.keys)
    view.forget()
    return Proof(claim, len(rows) - rows.n_unique(), f"{len(rows):,} rows")


def _equal(view: Publication, pair: Pair) -> Proof:
    breaches = rows = 0
    for left in view.parts(pair.left):
        ours = view.read(pair.left, left.part, pair.keys)
        theirs = view.read(pair.right, left.part, pair.keys)
        rows += len(ours)
        breaches += len(ours.join(theirs, on=pair.keys, how="anti")) + len(theirs.join(ours, on=pair.keys, how="anti"))
        breaches += abs(len(ours) - len(theirs)) if not breaches else 0
    return Proof(pair.claim, breaches, f"{rows:,} rows")


def _streamed(view: Publication, events: str, flows: str) -> Proof:
    breaches = rows = 0
    for part in view.parts(flows):
        anchors = view.read(flows, part.part, ("flow_id", "ts_utc"))
        seen = view.read(events, part.part, (*EVENT, "ts_utc"))
        rows += len(seen)
        of_flow = seen.group_by("flow_id").agg(pl.len().alias("n"), pl.col("ts_utc").min().alias("first"), pl.col("event_seq").sort())
        whole = of_flow.join(anchors, on="flow_id", how="full")
        right = (pl.col("event_seq") == list(range(EVENTS_PER_FLOW))) & (pl.col("first") == pl.col("ts_utc"))
        breaches += len(whole) - len(whole.filter(right.fill_null(value=False)))
    claim = f"{events}: every flow has events 0 and 1, the first at its own time"
    return Proof(claim, breaches, f"{rows:,} events")


def _cases(view: Publication) -> Proof:
    known = np.sort(np.concatenate([view.read(FLOWS, part.part, ("flow_id",))["flow_id"].to_numpy() for part in view.parts(FLOWS)]))
    timeline = view.read(TIMELINE, None, ("case_id", "case_event_seq", "flow_id", "ts_utc")).sort("case_id", "case_event_seq")
    flows = timeline["flow_id"].to_numpy()
    places = np.minimum(np.searchsorted(known, flows), len(known) - 1)
    gaps = timeline.select((pl.col("ts_utc").diff().over("case_id").dt.total_microseconds() < 0).sum()).item()
    breaches = int((known[places] != flows).sum()) + int(gaps or 0)
    return Proof("cases are about flows of the world, and no gap is negative", breaches, f"{timeline['case_id'].n_unique():,} cases")
