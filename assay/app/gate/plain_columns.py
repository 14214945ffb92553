"""Columns of a body as plain payments, where they are plain: see `plain_payments`. None is the answer for any others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assay.app.gate.body_items import instants_text
from assay.app.gate.checks import RUN_PINS
from assay.app.gate.plain_payments import PlainPayments
from assay.app.gate.plain_texts import Texts, plain_texts
from assay.codecs.columns import Ragged, Strings
from assay.contracts import instants
from assay.contracts.ingest_schemas import PAIRS
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX, ATTRIBUTES_MAX, ENTITIES_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX, SEED_MAX

#: text of the envelope → the most characters; fields that are not here are not there in plain payments
_TEXTS: Final = {"event_id": ID_CHARS_MAX, "event_type": ID_CHARS_MAX, "schema_version": 64, "producer": LABEL_CHARS_MAX}
_PINS: Final = tuple(name for name in RUN_PINS if name != "seed")
_SEED, _TIME = "seed", "ts_utc"
_NUMBERS: Final = (_SEED, _TIME, "amount_minor")
_NAME: Final = re.compile(r"[ !#-\[\]-~]+")
#: group of names → (most names, least and most characters of a value)
_GROUPS: Final = {"entities": (ENTITIES_MAX, 1, ID_CHARS_MAX), "attributes": (ATTRIBUTES_MAX, 0, ATTRIBUTE_CHARS_MAX)}


def plain_payments(
    head: Mapping[str, Any], payload: Mapping[str, Any], groups: Mapping[str, Mapping[str, Strings] | None]
) -> PlainPayments | None:
    """n rows, one at least. `head` and `payload` are columns of fields that all rows have; `groups` are entities and attributes by name."""
    if not {*_TEXTS, *_PINS, _SEED, _TIME}.issuperset(head) or not {"event_id", _TIME}.issubset(head):
        return None
    if not all(_is_fit(name, column) for name, column in (*head.items(), *payload.items())):
        return None
    ts_us = head[_TIME]
    if int(ts_us.min()) < instants.FIRST_US or int(ts_us.max()) > instants.LAST_US:
        return None
    texts = {name: plain_texts(column, 1, _TEXTS.get(name, ID_CHARS_MAX), is_id=name == "event_id") for name, column in _texts_of(head)}
    kind, currency = (plain_texts(payload[name], 1, LABEL_CHARS_MAX) for name in ("kind", "currency"))
    named = {name: _named(name, group) for name, group in groups.items()}
    seed = head.get(_SEED)
    if None in texts.values() or None in named.values() or kind is None or currency is None or not _is_seed(seed):
        return None
    envelope: dict[str, Any] = texts if seed is None else {**texts, _SEED: int(seed[0])}
    entities, attributes = (named[name] or {} for name in _GROUPS)
    return PlainPayments(envelope, instants_text(ts_us), ts_us, kind, payload["amount_minor"], currency, entities, attributes)


def by_name(lists: Ragged, name: str) -> dict[str, Strings] | None:
    """The values of lists of pairs as a column per name, where all lists have the same names in the same order, each once."""
    _, first, second = PAIRS[name]
    counts, names, values = np.diff(lists.offsets), lists.children[first], lists.children[second]
    width = int(counts[0])
    if bool((counts != width).any()):
        return None
    found: dict[str, Strings] = {}
    for at in range(width):
        rows = np.arange(int(lists.offsets[0]) + at, int(lists.offsets[-1]), width)
        said = plain_texts(names.take(rows), 1, LABEL_CHARS_MAX)
        if not isinstance(said, str) or said in found:
            return None
        found[said] = values.take(rows)
    return found


def _is_fit(name: str, column: Any) -> bool:
    """Whether a column has the type of its field."""
    if name in _NUMBERS:
        return isinstance(column, np.ndarray) and column.dtype == np.int64
    return isinstance(column, Strings)


def _texts_of(head: Mapping[str, Any]) -> list[tuple[str, Strings]]:
    return [(name, column) for name, column in head.items() if isinstance(column, Strings)]


def _is_seed(seed: NDArray[np.int64] | None) -> bool:
    """Whether all rows have one seed that is taken, or none has any."""
    return seed is None or bool((seed == seed[0]).all() and 0 <= int(seed[0]) <= SEED_MAX)


def _named(name: str, group: Mapping[str, Strings] | None) -> dict[str, Texts] | None:
    names_max, least, most = _GROUPS[name]
    if group is None or len(group) > names_max:
        return None
    found: dict[str, Texts] = {}
    for member, column in group.items():
        texts = plain_texts(column, least, most, is_id=name == "entities")
        if texts is None or len(member) > LABEL_CHARS_MAX or not _NAME.fullmatch(member):
            return None
        found[member] = texts
    return found
