"""The labels of a bank are what it knew of its flows, each of the request that was decided; the truth is in none of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from planted_worlds import Frames, made
from streamed_banks import PINS

from assay.app.labels.bank_labels import BANK_VIEW, SOURCE, labels_of_bank
from assay.app.pack.sealed_pack import SealedPack, open_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.facts import RunFacts, Source
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Stop
from assay.contracts.ids import world_event_id
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import BASELINE, FRAUD

#: microseconds after the flow at which the bank knew of it; none of the first flow
KNOWN_US = (None, 500, 400, 300, None, 100)
FRAUDS = (True, True, False, False, False, True)


def with_bank_view(frames: Frames) -> Frames:
    """What the bank knew of six flows. The first is a fraud that nobody noticed."""
    flows = frames[FRAUD.flow_anchors].select("flow_id", "ts_utc")
    known = [None if after is None else at + after for at, after in zip(flows["ts_utc"].cast(pl.Int64), KNOWN_US, strict=True)]
    view = flows.select(
        "flow_id",
        pl.Series("is_fraud_bank_view", [int(fraud) for fraud in FRAUDS]),
        pl.Series("known_ts_utc", known).cast(pl.Datetime("us", "UTC")),
    )
    return {**frames, BANK_VIEW: view}


@pytest.fixture
def pack(tmp_path: Path) -> SealedPack:
    store = DirectoryStore(tmp_path / "bank")
    made(store, with_bank_view)
    return open_pack(store)


def _facts(pack: SealedPack, events: str, pack_id: str = "") -> RunFacts:
    key = pack.identity.world_key
    values = {**PINS.as_json(), **{name: key[name] for name in ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")}}
    source = Source(events, "data/", 12, [])
    pins = Pins.of(values)
    return RunFacts(pins, pack.identity.run_id, pack_id or pack.identity.pack_id, "bank", "r", {events: source}, "event_time", 1_000, 1_006)


def test_labels_come_when_the_bank_knew_and_speak_of_the_request(pack: SealedPack) -> None:
    facts = _facts(pack, FRAUD.events)
    found = labels_of_bank(pack, facts)
    event = ENGINE_EVENTS[FRAUD.events]
    known = sorted((1_000 + at + after, at) for at, after in enumerate(KNOWN_US) if after is not None)
    assert found.frame["observed_ts_us"].to_list() == [observed for observed, _ in known]
    assert found.frame["label"].to_list() == [int(FRAUDS[at]) for _, at in known]
    assert found.frame["ts_us"].to_list() == [1_000 + at for _, at in known]
    values = {**facts.pins.as_json(), "event_seq": 0}
    expected = [[{**values, "flow_id": 100 + at}[name] for name in event.primary_key] for _, at in known]
    assert found.frame["event_id"].to_list() == [world_event_id(FRAUD.events, key, facts.pins) for key in expected]
    assert (found.source, found.begin_us, found.end_us) == (SOURCE, 1_000, known[-1][0] + 1)


def test_the_traffic_without_fraud_has_no_labels(pack: SealedPack) -> None:
    found = labels_of_bank(pack, _facts(pack, BASELINE.events))
    assert found.frame.is_empty()
    assert found.end_us == 1_007


def test_the_pack_of_another_world_is_refused(pack: SealedPack) -> None:
    with pytest.raises(Stop) as refused:
        labels_of_bank(pack, _facts(pack, FRAUD.events, "0" * 64))
    assert refused.value.reason is Reason.RUN_SCOPE_MISMATCH
