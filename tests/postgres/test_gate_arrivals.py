"""What the index knows of a group's items: when a labelled payment was, and in which currency a run began. Real PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from claims import Claim
from gate_events import LABEL, NOW_US, SCOPE, event, paid, raw
from said_ready import OPEN

from assay.app.demo.new_run import live_config
from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.arrivals import Arrivals
from assay.app.gate.group import Group
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.marks import LastMarks
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.row_examples import ROW_EXAMPLES, row_examples
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.app.gate.short_forms import Item, label_of, payment_of
from assay.app.policy.documents import load_policy
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.reasons import Reason

RUN = str(SCOPE["platform_run_id"])
PAID_AT = "2018-04-01T00:00:31.000000Z"
HANDBOOK = RunNames.of(live_config(RUN, load_policy("handbook")))
CARD = {"amount_minor": 1, "entities": {"customer": "7"}}


def arrivals(dsn: str, names: RunNames = ANY_NAMES, traffic: str = "") -> Arrivals:
    examiner, index = Examiner(shipped_admission_policy(traffic), SCOPE, names), AdmissionIndex(dsn)
    return Arrivals(examiner, index, names, RUN, LastMarks(index, RUN, 0), lambda: OPEN._replace(outputs=frozenset(ENGINE_EVENTS)))


def admit(dsn: str, *items: Item, traffic: str = "") -> None:
    """Examine and claim, as one group."""
    index, found = AdmissionIndex(dsn), arrivals(dsn, traffic=traffic).examine(items, NOW_US, 0)
    claims = [item for item in found if isinstance(item, Admissible)]
    assert index.claim(claims, index.next_batch(len(claims))[0]) == {}


def label(**body: Any) -> Item:
    return label_of(raw({"payment": "e-1", "label": "FRAUD", **body}), SCOPE, NOW_US, 0)


def asserted(subject_ts_utc: str = PAID_AT, subject: str = "e-1") -> bytes:
    return raw(event("l-1", "label_assertion", {**LABEL, "subject_event_id": subject, "subject_ts_utc": subject_ts_utc}))


def told(item: Any) -> tuple[str, str]:
    assert isinstance(item, RefusedEvent), item
    return item.reason.value, item.where


def test_a_short_label_takes_the_time_of_its_payment_from_the_claim(dsn: str) -> None:
    admit(dsn, raw(event("e-1")))
    (found,) = arrivals(dsn).examine([label()], NOW_US, 0)
    assert isinstance(found, Admissible)
    assert found.payload.subject_ts_utc == PAID_AT


@pytest.mark.parametrize("items", [[raw(event("e-1")), label()], [label(), raw(event("e-1"))]])
def test_a_payment_of_the_same_group_is_known_too(dsn: str, items: list[Item]) -> None:
    assert {type(item) for item in arrivals(dsn).examine(items, NOW_US, 0)} == {Admissible}


@pytest.mark.parametrize("traffic", ["baseline", "fraud"])
def test_a_short_label_takes_the_time_of_an_event_of_a_flow_in_a_run_that_streams_a_world(dsn: str, traffic: str) -> None:
    examples = row_examples(SCOPE, traffic, NOW_US)
    flow = examples[ROW_EXAMPLES["flow_event"]]
    told = label_of(raw(examples["label"]), SCOPE, NOW_US, 0)
    *_, together = arrivals(dsn, traffic=traffic).examine([raw(flow), told], NOW_US, 0)
    admit(dsn, raw(flow), traffic=traffic)
    (later,) = arrivals(dsn, traffic=traffic).examine([told], NOW_US, 0)
    for labelled in (together, later):
        assert isinstance(labelled, Admissible)
        assert labelled.payload.subject_ts_utc == flow["ts_utc"]


def test_a_label_of_a_payment_that_nobody_admitted_is_refused_unless_it_is_an_envelope(dsn: str) -> None:
    first, second, third = arrivals(dsn).examine([label(), label(payment_ts_utc=PAID_AT), asserted()], NOW_US, 0)
    assert told(first) == told(second) == ("LABEL_SUBJECT_UNKNOWN", "$.payment")
    assert isinstance(third, Admissible), "labels of a stream may come before their payments"


def test_a_label_of_a_payment_without_a_time_of_an_older_version_says_that_time(dsn: str) -> None:
    admit(dsn, raw(event("e-1")))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE ig_claims SET ts_us = NULL")
    first, second = arrivals(dsn).examine([label(), label(payment_ts_utc=PAID_AT)], NOW_US, 0)
    assert told(first) == ("LABEL_SUBJECT_UNKNOWN", "$.payment")
    assert isinstance(second, Admissible)


def test_a_label_that_names_another_time_of_its_payment_is_refused(dsn: str) -> None:
    admit(dsn, raw(event("e-1")))
    wrong = "2018-03-01T00:00:31.000000Z"
    items = [asserted(wrong), label(payment_ts_utc=wrong), asserted(), label(payment_ts_utc="2018-04-01T02:00:31+02:00")]
    envelope, short, *right = arrivals(dsn).examine(items, NOW_US, 0)
    assert told(envelope) == ("LABEL_SUBJECT_TIME_WRONG", "$.payload.subject_ts_utc")
    assert told(short) == ("LABEL_SUBJECT_TIME_WRONG", "$.payment_ts_utc")
    assert {type(item) for item in right} == {Admissible}


def test_a_refused_short_form_is_kept_and_told_as_it_was_posted(dsn: str) -> None:
    admit(dsn, raw(event("e-1")))
    body = raw({**CARD, "currency": "XQZ"})
    payment, early = arrivals(dsn).examine([payment_of(body, SCOPE, NOW_US, 0), label(known_at="2018-03-01T00:00:00Z")], NOW_US, 0)
    assert isinstance(payment, RefusedEvent)
    assert (*told(payment), payment.raw) == ("CURRENCY_UNKNOWN", "$.currency", body)
    assert told(early) == ("LABEL_NOT_AFTER_PAYMENT", "$.known_at")


def test_a_payment_that_is_published_again_keeps_its_first_time(dsn: str) -> None:
    admit(dsn, payment_of(raw({**CARD, "currency": "EUR", "event_id": "mine"}), SCOPE, NOW_US, 0))
    later_us = NOW_US + 60_000_000
    again = payment_of(raw({**CARD, "currency": "EUR", "event_id": "mine"}), SCOPE, later_us, 0)
    group, index = Group(arrivals(dsn).examine([again], later_us, 0), 9), AdmissionIndex(dsn)
    claims = group.gather({})
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO ig_released SELECT batch, 'test' FROM ig_begun")
    group.weigh(index.claim(claims, 9))
    (item,) = group.examined
    assert isinstance(item, Admissible)
    assert (item.ts_us, group.again()) == (NOW_US, [0])


def test_a_policy_of_one_currency_has_that_of_the_first_payment_also_after_a_restart(dsn: str) -> None:
    items = [raw(event(f"e-{n}", payload=paid(currency=code))) for n, code in enumerate(("EUR", "JPY", "EUR"))]
    first, second, third = arrivals(dsn, HANDBOOK).examine(items, NOW_US, 0)
    assert (type(first), type(third)) == (Admissible, Admissible)
    assert told(second) == (Reason.CURRENCY_NOT_OF_POLICY.value, "$.payload.currency")
    assert isinstance(second, RefusedEvent)
    assert "EUR since its first payment, not in JPY" in second.detail
    assert "`currencies: [EUR, JPY]`" in second.remedy
    again = arrivals(dsn, HANDBOOK).examine([payment_of(raw({**CARD, "currency": "JPY"}), SCOPE, NOW_US, 0)], NOW_US, 0)
    assert told(again[0]) == (Reason.CURRENCY_NOT_OF_POLICY.value, "$.currency")


def test_a_refused_payment_says_nothing_of_the_currency(dsn: str) -> None:
    bad, good = raw(event("e-1", payload=paid(currency="JPY", amount_minor=-1))), raw(event("e-2"))
    assert isinstance(arrivals(dsn, HANDBOOK).examine([bad, good], NOW_US, 0)[1], Admissible)


def test_a_run_without_sums_of_amounts_or_with_a_list_has_no_currency_of_its_own() -> None:
    config = live_config(RUN, load_policy("handbook"))
    assert RunNames.of(config).one_currency
    for features in ({**config.features, "currencies": "any"}, {**config.features, "currencies": ["EUR", "USD"]}, {}):
        assert not RunNames.of(config.model_copy(update={"features": features})).one_currency


def test_an_index_of_an_older_version_is_asked_and_has_no_times(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.ready()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE ig_claims DROP COLUMN ts_us CASCADE")
    older = AdmissionIndex(dsn)
    older.claim([Claim(b"k" * 32, b"h" * 32, 0, instants.parse(PAID_AT))], 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE ig_claims SET ts_us = NULL")
    assert older.times([b"k" * 32, b"x" * 32]) == {b"k" * 32: None}
    assert older.claim([Claim(b"k" * 32, b"h" * 32, 0, 5)], 2)[0].ts_us is None
