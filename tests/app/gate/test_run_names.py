"""An item that names what its run does not know is refused, and told what is nearest: no feature would ever have seen it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from gate_events import SCOPE, event, examined, paid
from small_worlds import small_world

from assay.app.demo.new_run import live_config, world_config
from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.app.policy.documents import load_policy
from assay.app.run.directory import RunConfig
from assay.contracts.reasons import Reason

HANDBOOK = RunNames.of(live_config("platform_20260101T000000Z", load_policy("handbook")))
NAMES = RunNames(("customer", "terminal"), (), ("iban_hash",), ("BTC",))
OF_THE_POLICY = RunNames(("customer", "terminal"), ("EUR", "PTS"))


@pytest.mark.parametrize(
    ("document", "reason", "where", "remedy"),
    [
        (
            event(payload=paid(entities={"costumer": "596", "terminal": "3156"})),
            Reason.ENTITY_UNKNOWN,
            "$.payload.entities.costumer",
            "Did you mean 'customer'? The entities of this run are customer, terminal, iban_hash; other facts go into attributes.",
        ),
        (
            event(payload=paid(entities={"customer": "596", "shoe size": "45"})),
            Reason.ENTITY_UNKNOWN,
            "$.payload.entities['shoe size']",
            "The entities of this run are customer, terminal, iban_hash; other facts go into attributes.",
        ),
        (event(payload=paid(entities={"Customer": "5"})), Reason.ENTITY_UNKNOWN, "$.payload.entities.Customer", "Did you mean 'customer'"),
        (event("f", "context_fact", {"entities": {"terminals": "1"}}), Reason.ENTITY_UNKNOWN, "$.payload.entities.terminals", "'terminal'"),
        (event(payload=paid(entities={})), Reason.ENTITY_MISSING, "$.payload.entities", "at least one of customer, terminal:"),
        (event(payload=paid(entities={"customer": None})), Reason.ENTITY_MISSING, "$.payload.entities", "at least one"),
        (event(payload=paid(entities={"account": "1", "iban_hash": "2"})), Reason.ENTITY_MISSING, "$.payload.entities", "at least one"),
        (event(payload=paid(currency="EUE")), Reason.CURRENCY_UNKNOWN, "$.payload.currency", "Did you mean 'EUR'?"),
        (
            event(payload=paid(currency="XQZ")),
            Reason.CURRENCY_UNKNOWN,
            "$.payload.currency",
            "Send a code of ISO 4217 in capitals, or BTC of",
        ),
    ],
)
def test_a_name_that_the_run_does_not_know_is_refused(document: dict[str, Any], reason: Reason, where: str, remedy: str) -> None:
    item = examined(document, NAMES)
    assert isinstance(item, RefusedEvent), item
    assert (item.reason, item.where) == (reason, where)
    assert remedy in item.remedy


@pytest.mark.parametrize(
    "document",
    [
        event(),
        event(payload=paid(entities={"customer": "596", "iban_hash": "x"}, currency="BTC")),
        event(payload=paid(entities={"customer": None, "terminal": "1"})),
        event(payload=paid(entities={"terminal": "1", "account": "known to the bus"})),
        event("f", "context_fact", {"entities": {"merchant": "1"}}),
        event("f", "context_fact", {"entities": {}}),
        event("e-1", "label_assertion"),
    ],
)
def test_what_the_run_knows_is_admitted(document: dict[str, Any]) -> None:
    assert isinstance(examined(document, NAMES), Admissible)


@pytest.mark.parametrize(
    ("currency", "reason"),
    [("EUR", None), ("PTS", None), ("USD", Reason.CURRENCY_NOT_OF_POLICY), ("XQZ", Reason.CURRENCY_UNKNOWN)],
)
def test_a_payment_in_a_currency_that_the_policy_does_not_list_is_refused_before_the_lane_meets_it(
    currency: str, reason: Reason | None
) -> None:
    item = examined(event(payload=paid(currency=currency)), OF_THE_POLICY)
    assert (item.reason if isinstance(item, RefusedEvent) else None) is reason


@pytest.mark.parametrize(("written", "listed"), [({}, ()), ({"currencies": "any"}, ()), ({"currencies": ["EUR", "PTS"]}, ("EUR", "PTS"))])
def test_the_currencies_of_a_run_are_those_that_its_features_list(written: dict[str, Any], listed: tuple[str, ...]) -> None:
    assert RunNames.of(RunConfig.model_validate({**SCOPE, "features": written, "policy": {}})).policy_currencies == listed


def test_a_run_without_a_policy_takes_any_entity() -> None:
    """Nothing is decided in it. A bench of the gate is such a run."""
    assert RunNames.of(RunConfig.model_validate({**SCOPE, "features": {}, "policy": {}})) == ANY_NAMES
    assert isinstance(examined(event(payload=paid(entities={"anything": "1"}))), Admissible)


def test_a_run_over_what_is_posted_knows_the_entities_of_its_policy() -> None:
    assert HANDBOOK.policy_entities == ("customer", "terminal")
    assert isinstance(examined(event(payload=paid(entities={"costumer": "596"})), HANDBOOK), RefusedEvent)


def test_a_run_over_a_world_knows_its_entities_too(tmp_path: Path) -> None:
    manifest = small_world(tmp_path, entities={"customer": "who", "terminal": "shop", "place": "channel"}, attributes=[]).manifest
    names = RunNames.of(world_config("platform_20260101T000000Z", manifest, load_policy("handbook")))
    assert names.extra_entities == ("place",)
    assert isinstance(examined(event(payload=paid(entities={"customer": "1", "place": "2"})), names), Admissible)
    assert isinstance(examined(event(payload=paid(entities={"customer": "1", "plaice": "2"})), names), RefusedEvent)


@pytest.mark.parametrize(
    ("written", "extra"), [({}, ()), ({"currencies": ["EUR"]}, ()), ({"currencies": {"PTS": 0, "EUR": 2, "BTC": 8}}, ("BTC", "PTS"))]
)
def test_a_run_over_a_world_has_the_currencies_that_only_its_mapping_declares(
    tmp_path: Path, written: dict[str, Any], extra: tuple[str, ...]
) -> None:
    manifest = small_world(tmp_path, entities={"customer": "who", "terminal": "shop"}, **written).manifest
    assert world_config("platform_20260101T000000Z", manifest, load_policy("handbook")).extra_currencies == extra


def test_a_run_without_extra_names_has_the_digest_that_it_had_before_there_were_any() -> None:
    plain = live_config("platform_20260101T000000Z", load_policy("handbook"))
    later = {"extra_entities", "extra_currencies", "earliest", "ids_in_clear", "pseudonymise", "topic_layout", "profile_policy", "traffic"}
    before = {name: value for name, value in plain.model_dump(mode="json").items() if name not in later}
    text = json.dumps(before, sort_keys=True, separators=(",", ":"))
    assert plain.digest == hashlib.sha256(text.encode()).digest()
    assert plain.model_copy(update={"extra_entities": ("place",)}).digest != plain.digest
    assert plain.model_copy(update={"extra_currencies": ("BTC",)}).digest != plain.digest
    assert plain.model_copy(update={"ids_in_clear": ("card",)}).digest != plain.digest
    assert plain.model_copy(update={"pseudonymise": ("card",)}).digest != plain.digest
    assert plain.model_copy(update={"earliest": "1950-01-01"}).digest != plain.digest
    assert plain.model_copy(update={"topic_layout": {"FP_BUS_CONTROL_V1": (1, -1)}}).digest != plain.digest
    assert plain.model_copy(update={"profile_policy": "f" * 64}).digest != plain.digest


@pytest.mark.parametrize(
    ("written", "taken", "refused"),
    [
        ({}, "1990-01-01T00:00:00.000000Z", "1989-12-31T23:59:59.999999Z"),
        ({"earliest": "1889-04-01"}, "1889-04-01T00:00:00.000000Z", "1889-03-31T23:59:59.999999Z"),
    ],
    ids=["the import's default", "as the mapping says"],
)
def test_the_gate_takes_no_older_payment_than_the_import_of_its_world(
    tmp_path: Path, written: dict[str, Any], taken: str, refused: str
) -> None:
    manifest = small_world(tmp_path, entities={"customer": "who", "terminal": "shop"}, time={"column": "at", **written}).manifest
    names = RunNames.of(world_config("platform_20260101T000000Z", manifest, load_policy("handbook")))
    item = examined(event(ts_utc=refused), names)
    assert isinstance(examined(event(ts_utc=taken), names), Admissible)
    assert isinstance(item, RefusedEvent)
    assert (item.reason, item.where) == (Reason.TIME_TOO_EARLY, "$.ts_utc")
    assert names.earliest in item.detail
