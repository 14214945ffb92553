"""Items of a group with tokens in place of ids, before anything looks at them: what is hashed, published, kept and told has tokens.

A refused item is kept whole only where every place of its ids is known. Of any other its size and a keyed digest are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.border import ENVELOPE, PAYLOADS, UNREADABLE
from assay.app.gate.exact import check_exact
from assay.app.gate.ids_in_json import IN_ENVELOPE, IN_SHORT, Opened, opened, replaced, subjects_in
from assay.app.gate.plain_payments import PlainItem, PlainPayments
from assay.app.gate.plain_texts import Texts
from assay.app.gate.short_forms import Item, LabelBody, PaymentBody, Short
from assay.app.run.directory import RunConfig
from assay.app.settings import Settings
from assay.app.vault.key import Subject, key_for
from assay.app.vault.tokens import Ask, Vault
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

Examine = Callable[[bytes], Admissible | RefusedEvent]
_SHORT_FORMS: Final = (msgspec.json.Decoder(PaymentBody), msgspec.json.Decoder(LabelBody))


class Pseudonyms:
    """Replaces the ids of the entities `declared` by tokens of the vault. It belongs to the thread that examines."""

    def __init__(self, declared: Sequence[str], vault: Vault, examiner: Examiner) -> None:
        self._declared, self.vault, self._examiner = tuple(declared), vault, examiner

    def of(self, items: Sequence[Item], examine: Examine) -> list[Item]:
        """The items with tokens. One whose ids may stand anywhere is refused, as `examine` says. One look at the vault for all.

        Raises Retry(INDEX_UNAVAILABLE), Stop(VAULT_KEY_WRONG).
        """
        parts = [self._parts(item) for item in items]
        batches = {id(item.batch): item.batch for item in items if isinstance(item, PlainItem)}
        subjects = {one for found in parts for part in found or () if part is not None for one in subjects_in(part)}
        subjects |= {one for batch in batches.values() for one in _subjects_of(batch, self._declared)}
        tokens = self.vault.tokens(subjects)
        columns = {at: _with_tokens(batch, self._declared, tokens) for at, batch in batches.items()}
        return [self._one(item, found, columns, tokens, examine) for item, found in zip(items, parts, strict=True)]

    def kept(self, refused: RefusedEvent) -> RefusedEvent:
        """A refused item as it may be kept: without its body where an id may stand in a place that nobody looks at."""
        return refused if self._reads(refused.raw) else self._withheld(refused)

    def _parts(self, item: Item) -> tuple[Opened | None, ...]:
        """What is looked at for ids: an item as it came, and what a short form becomes."""
        if isinstance(item, bytes):
            return (opened(item, IN_ENVELOPE, self._declared),)
        if isinstance(item, Short) and item.subject is None:
            return opened(item.raw, IN_SHORT, self._declared), opened(item.envelope(0), IN_ENVELOPE, self._declared)
        return ()

    def _one(
        self,
        item: Item,
        parts: tuple[Opened | None, ...],
        columns: Mapping[int, PlainPayments],
        tokens: Mapping[Subject, str],
        examine: Examine,
    ) -> Item:
        if isinstance(item, PlainItem):
            return PlainItem(columns[id(item.batch)], item.row)
        if isinstance(item, RefusedEvent):
            return self._withheld(item)
        if isinstance(item, Short) and item.subject is not None:
            return item  # a label names no entity
        known = [replaced(part, tokens) for part in parts if part is not None]
        if len(known) < len(parts):
            return self._refused(examine(item if isinstance(item, bytes) else item.raw))
        if isinstance(item, bytes):
            return known[0]
        raw, envelope = known
        return replace(item, raw=raw, envelope=lambda _: envelope)

    def _refused(self, found: Admissible | RefusedEvent) -> RefusedEvent:
        if isinstance(found, RefusedEvent):
            return self._withheld(found)
        what, remedy = "the places of its ids cannot be told", "Send one JSON object in UTF-8, each key once."
        ids = found.envelope.event_id, found.envelope.event_type, found.event_class, found.envelope.ts_utc
        return self._withheld(RefusedEvent(b"", Reason.SCHEMA_FAIL, what, "$", remedy, *ids))

    def _withheld(self, refused: RefusedEvent) -> RefusedEvent:
        told = {"bytes": len(refused.raw), "hmac_sha256": self.vault.key.sealed(refused.raw).hex()}
        return msgspec.structs.replace(refused, raw=msgspec.json.encode({"withheld": told}))

    def _reads(self, raw: bytes) -> bool:
        """Whether an item says each key once, in a form that is closed, and with entities that the run knows."""
        try:
            check_exact(raw, Reason.ENVELOPE_INVALID)
            envelope = ENVELOPE.decode(raw)
            rule = self._examiner.policy.events.get(envelope.event_type)
            return rule is not None and self._knows(PAYLOADS[rule.payload].decode(envelope.payload))
        except Quarantine:
            return False
        except UNREADABLE:
            return any(self._reads_short(raw, form) for form in _SHORT_FORMS)

    def _reads_short(self, raw: bytes, form: msgspec.json.Decoder[Any]) -> bool:
        try:
            return self._knows(form.decode(raw))
        except UNREADABLE:
            return False

    def _knows(self, payload: Any) -> bool:
        names = self._examiner.names
        entities = msgspec.structs.asdict(payload).get("entities", {})
        return not names.policy_entities or names.entities.issuperset(entities)


def pseudonyms_of(config: RunConfig, settings: Settings, examiner: Examiner, ask: Ask) -> Pseudonyms | None:
    """What replaces the ids of a run; None where it declares none. Raises Stop(VAULT_KEY_MISSING)."""
    key = key_for(config.pseudonymise, settings)
    return None if key is None else Pseudonyms(config.pseudonymise, Vault(key, ask), examiner)


def _subjects_of(batch: PlainPayments, declared: Sequence[str]) -> list[Subject]:
    columns = {name: batch.entities[name] for name in declared if name in batch.entities}
    return [(name, known) for name, texts in columns.items() for known in ({texts} if isinstance(texts, str) else set(texts))]


def _with_tokens(batch: PlainPayments, declared: Sequence[str], tokens: Mapping[Subject, str]) -> PlainPayments:
    """The same payments, not looked at yet."""

    def of(name: str, texts: Texts) -> Texts:
        return tokens[name, texts] if isinstance(texts, str) else [tokens[name, known] for known in texts]

    entities = {name: of(name, texts) if name in declared else texts for name, texts in batch.entities.items()}
    return replace(batch, entities=entities, looked=False, made=None)
