"""Plain payments examined as columns: what is checked of a single envelope is checked of a column, or of the value that all rows share.

Where a check does not hold for all rows, nothing is said of any: each is examined as the envelope in JSON that it is equal to, and gets
the refusal that it deserves. So this may refuse too much and never too little.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import UNSET

from assay.app.gate import checks
from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.border import Envelope
from assay.app.gate.card_numbers import has_card
from assay.app.gate.payload_hashes import around_payload
from assay.app.gate.plain_payments import RECORD, PlainItem, PlainPayments, digests, whole_batch
from assay.app.gate.policy import EventRule
from assay.contracts.errors import Quarantine
from assay.contracts.limits import AMOUNT_MINOR_END


def made_of(examiner: Examiner, item: PlainItem, now_us: int, arrived: int) -> Admissible | None:
    """What a row is, None for one that is to be examined by itself. All rows of its batch are looked at when the first is asked for.

    `arrived` is the number of the item in order of arrival; those of a batch follow one another.
    """
    batch = item.batch
    if not batch.looked:
        rule = _rule(examiner, batch, now_us)
        batch.made = None if rule is None else _admissible(examiner, batch, rule, arrived - item.row)
        batch.looked = True
    return None if batch.made is None else batch.made[item.row]


def all_made_of(examiner: Examiner, items: Sequence[object], at: int, now_us: int, arrived: int) -> Sequence[Admissible]:
    """What the rows of the batch that begins at item `at` are; empty where none does, or each is to be examined by itself."""
    batch = whole_batch(items, at)
    if batch is None:
        return ()
    made_of(examiner, PlainItem(batch, 0), now_us, arrived)
    return batch.made or ()


def _rule(examiner: Examiner, batch: PlainPayments, now_us: int) -> EventRule | None:
    """The rule that all rows follow."""
    rule = examiner.policy.events.get(str(batch.shared("event_type")))
    if rule is None or rule.payload != RECORD or batch.shared("schema_version") not in rule.schema_versions:
        return None
    if tuple(batch.shared(name) for name in checks.RUN_PINS) != examiner.all_pins:
        return None
    if int(batch.amount_minor.min()) < 0 or int(batch.amount_minor.max()) >= AMOUNT_MINOR_END:
        return None
    if _holds_card(batch, examiner.names.ids_in_clear):
        return None
    if int(batch.ts_us.max()) > now_us + examiner.policy.future_tolerance_us:
        return None
    try:
        examiner.names.check_time(int(batch.ts_us.min()))
        examiner.check_names(tuple(batch.attributes), tuple(batch.entities))
        examiner.names.check_touches_policy(dict.fromkeys(batch.entities, ""))
        for currency in {batch.currency} if isinstance(batch.currency, str) else set(batch.currency):
            examiner.names.check_currency(currency)
    except Quarantine:
        return None
    return rule


def _holds_card(batch: PlainPayments, in_clear: Collection[str]) -> bool:
    """Whether a card number stands in a text or in a name, ids of the entities `in_clear` left out."""
    ids = [texts for name, texts in batch.entities.items() if name not in in_clear]
    told = [*batch.envelope.values(), batch.kind, batch.currency, *ids, *batch.attributes.values()]
    columns = [list(batch.entities), list(batch.attributes), *([texts] if isinstance(texts, str) else texts for texts in told if texts)]
    return any(has_card("\n".join(texts)) for texts in columns if not isinstance(texts, int))  # no number goes beyond a line


def _admissible(examiner: Examiner, batch: PlainPayments, rule: EventRule, first: int) -> list[Admissible]:
    event_class = rule.event_class
    event_type, version = str(batch.shared("event_type")), str(batch.shared("schema_version"))
    event_ids = batch.event_ids
    hashes = batch.hashes(*around_payload(event_type, version))
    keys = digests(examiner.prefixes[event_class], event_ids)
    rows = zip(batch.items(), _envelopes(batch, event_ids), batch.ts_us.tolist(), hashes, keys, strict=True)
    return [
        Admissible(item, event_class, envelope, item, ts_us, hashed, key, first + item.row) for item, envelope, ts_us, hashed, key in rows
    ]


def _envelopes(batch: PlainPayments, event_ids: Sequence[str]) -> list[Envelope]:
    event_type, version, *pins = (batch.shared(name) for name in ("event_type", "schema_version", *checks.RUN_PINS))
    given: Any = batch.envelope.get("producer", UNSET)
    producers = given if isinstance(given, list) else [given] * len(batch)
    build: Any = Envelope  # its payload is None: it stands beside it
    return [
        build(event_id, event_type, ts_utc, None, UNSET, version, *pins, producer)
        for event_id, ts_utc, producer in zip(event_ids, batch.ts_utc, producers, strict=True)
    ]
