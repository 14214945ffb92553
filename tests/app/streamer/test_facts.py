"""A streamer believes READY only, and the facts view only as far as READY vouches for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamed_banks import ANCHORS, EVENTS, FACTS_REF, PACK, PINS, RELEASE, facts_view, ready_for, rows_of, write_view

from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.facts import facts_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _view(store: DirectoryStore, **changes: Any) -> dict[str, Any]:
    return facts_view([write_view(store, name, rows_of(name)) for name in (EVENTS, ANCHORS)], "s3://bank/world", **changes)


def test_the_facts_of_a_run_are_those_that_ready_names(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    facts = facts_of(store, ready_for(store, _view(store)), PINS)
    assert (facts.pins, facts.pack_id, facts.pack_root, facts.release) == (PINS, PACK, "s3://bank/world", RELEASE)
    assert {name: source.rows for name, source in facts.sources.items()} == {EVENTS: 12, ANCHORS: 12}
    assert facts.ordering == "event_time"


GATE = {"gate_id": "g", "scope": {}, "digest": {"algo": "sha256", "hex": "c" * 64}}


@pytest.mark.parametrize(
    ("changes", "ready", "reason"),
    [
        ({}, {"bundle_hash": b"x" * 32}, Reason.DIGEST_MISMATCH),
        ({"bundle_hash": "0" * 64}, {}, Reason.DIGEST_MISMATCH),
        ({}, {"run_config_digest": b"x" * 32}, Reason.RUN_SCOPE_MISMATCH),
        ({"pins": {**PINS.as_json(), "seed": 43}}, {}, Reason.RUN_SCOPE_MISMATCH),
        ({"pins": {**PINS.as_json(), "platform_run_id": "platform_20260101T000001Z"}}, {}, Reason.RUN_SCOPE_MISMATCH),
        ({"gate_receipts": [{**GATE, "status": "FAIL"}]}, {}, Reason.RUN_FACTS_INVALID),
        ({"locators": []}, {}, Reason.RUN_FACTS_INVALID),
        ({"more": 1}, {}, Reason.RUN_FACTS_INVALID),
        ({}, {"facts_view_ref": "sr/another.json"}, Reason.FACTS_VIEW_MISSING),
    ],
)
def test_facts_that_ready_does_not_vouch_for_are_refused(tmp_path: Path, changes: Any, ready: Any, reason: Reason) -> None:
    store = DirectoryStore(tmp_path)
    with pytest.raises(Stop) as refused:
        facts_of(store, ready_for(store, _view(store, **changes), **ready), PINS)
    assert refused.value.reason is reason


def test_a_gate_that_did_not_pass_is_refused_by_its_name(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    located = [write_view(store, EVENTS, rows_of(EVENTS))]
    (gate,) = facts_view(located, str(tmp_path))["gate_receipts"]
    document = facts_view(located, str(tmp_path), gate_receipts=[{**gate, "status": "FAIL"}])
    with pytest.raises(Stop, match=f"gates did not pass: {gate['gate_id']}") as refused:
        facts_of(store, ready_for(store, document), PINS)
    assert refused.value.reason is Reason.RUN_FACTS_INVALID


def test_a_locator_that_was_changed_after_ready_is_refused(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    document = _view(store)
    ready = ready_for(store, document)
    document["locators"][0]["files"][0]["path"] = "data/another.parquet"
    ready_for(store, document)
    with pytest.raises(Stop) as refused:
        facts_of(store, ready, PINS)
    assert (refused.value.reason, refused.value.where) == (Reason.DIGEST_MISMATCH, FACTS_REF)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_facts_that_cannot_be_read_are_refused(tmp_path: Path, data: bytes) -> None:
    store = DirectoryStore(tmp_path)
    ready = ready_for(store, _view(store))
    store.replace(FACTS_REF, data)
    with pytest.raises(Stop) as refused:
        facts_of(store, ready, PINS)
    assert refused.value.reason is Reason.RUN_FACTS_INVALID
