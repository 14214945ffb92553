"""The feature document: what a feature set asks for, read once and checked field by field.

A document is data (YAML in `contracts/policies/<name>/features.yaml`). Everything that computes features, online or
offline, starts from the `FeatureDocument` made here. Windows are bucketed: bucket = floor(ts_us / resolution), and a
window of w covers the w / resolution buckets that end at the key's current bucket minus the delay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.contracts.canonical import document_digest
from assay.contracts.currencies import CODE
from assay.contracts.errors import AssayError, Stop
from assay.contracts.instants import UNITS, duration_text, duration_us
from assay.contracts.reasons import Reason

WINDOW_OPS: Final = frozenset({"count", "sum", "mean", "zscore", "distinct", "fraud_count", "fraud_rate"})
AMOUNT_OPS: Final = frozenset({"sum", "mean", "zscore"})
FRAUD_OPS: Final = frozenset({"fraud_count", "fraud_rate"})
ROW_OPS: Final = frozenset({"amount", "night", "weekend"})
DOUBLE_OPS: Final = frozenset({"mean", "zscore", "fraud_rate"})
OPS: Final = WINDOW_OPS | ROW_OPS | {"since_last"}
#: buckets a window and its delay may span: bounds the memory of one key
BUCKETS_MAX: Final = 4096
FEATURES_MAX: Final = 512
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WINDOW_FIELDS = {"window", "resolution", "delay", "include_current"}
_TOP_FIELDS = {"feature_set", "revision", "entities", "label_entities", "currencies", "forget_after", "features"}
#: the words for `currencies`: amounts are of one currency, whichever that is; amounts of all currencies are added as they are
ONE_CURRENCY, ANY_CURRENCY = "one", "any"
#: an id is remembered this long at least, unless the document says otherwise
FORGET_AFTER_US: Final = 30 * UNITS["d"]
_REMEDY = "The form of a feature document is described in contracts/policies/features.md."


class Feature(NamedTuple):
    """One feature. Windows and delays are in buckets; fields an op does not use hold their defaults."""

    name: str
    op: str
    entity: str = ""
    of: str = ""
    resolution_us: int = 1
    window_buckets: int = 0
    delay_buckets: int = 0
    include_current: bool = False
    unit_us: int = 1
    to_hour: int = 0

    @property
    def is_double(self) -> bool:
        """True when the value is a float64."""
        return self.op in DOUBLE_OPS


class FeatureDocument(NamedTuple):
    """A checked document. `digest` is the sha256 of its canonical form, 32 bytes.

    An id that is met by no payment and no context fact for longer than `idle_us` is forgotten. That is never shorter than
    any window of the document reaches back, so no window sees it: what is lost is the id's graph row and its `since_last`.

    `currencies` are the codes whose amounts are added as they are; none for `any`, None for one currency, whichever that is.
    """

    feature_set: str
    revision: str
    entities: tuple[str, ...]
    label_entities: tuple[str, ...]
    currencies: tuple[str, ...] | None
    features: tuple[Feature, ...]
    idle_us: int
    digest: bytes

    @property
    def adds_amounts(self) -> bool:
        """Whether a feature is made of several amounts, which then have to be of one unit."""
        return any(feature.op in AMOUNT_OPS for feature in self.features)

    @property
    def mixes_currencies(self) -> bool:
        """Whether one value may be made of amounts of several currencies; then it is an amount of none of them."""
        return self.currencies is not None and len(self.currencies) != 1

    @property
    def long_names(self) -> tuple[str, ...]:
        """Names of int64 features, in document order."""
        return tuple(feature.name for feature in self.features if not feature.is_double)

    @property
    def double_names(self) -> tuple[str, ...]:
        """Names of float64 features, in document order."""
        return tuple(feature.name for feature in self.features if feature.is_double)


def parse_document(document: Mapping[str, Any]) -> FeatureDocument:
    """Check a document. Raises Stop(FEATURE_DOCUMENT_INVALID) naming the feature and the field."""
    if not isinstance(document, Mapping):
        raise _refusal("the document", "", "is not a mapping")
    _known(document, _TOP_FIELDS, "the document", "")
    entities = _names(document, "entities")
    if not entities:
        raise _refusal("the document", "entities", "names no entity, and windows count by entity")
    label_entities = _names(document, "label_entities")
    for name in label_entities:
        if name not in entities:
            raise _refusal("the document", "label_entities", f"names {name!r}, which is not among the entities")
    rows = document.get("features")
    if not isinstance(rows, list) or not 0 < len(rows) <= FEATURES_MAX:
        raise _refusal("the document", "features", f"is not a list of 1 to {FEATURES_MAX} features")
    features = tuple(_feature(row, f"features[{i}]", entities, label_entities) for i, row in enumerate(rows))
    _refuse_repeats([feature.name for feature in features], "features")
    texts, currencies = [_text(document, key) for key in ("feature_set", "revision")], _currencies(document)
    idle_us, digest = _idle_us(document, features), document_digest(document)
    return FeatureDocument(texts[0], texts[1], entities, label_entities, currencies, features, idle_us, digest)


def _currencies(document: Mapping[str, Any]) -> tuple[str, ...] | None:
    given = document.get("currencies", ONE_CURRENCY)
    if given in (ONE_CURRENCY, ANY_CURRENCY):
        return None if given == ONE_CURRENCY else ()
    if not isinstance(given, list) or not given or not all(isinstance(code, str) and CODE.fullmatch(code) for code in given):
        what = f"is {given!r}, not `{ONE_CURRENCY}`, `{ANY_CURRENCY}` or a list of codes of three capital letters, such as [EUR, GBP]"
        raise _refusal("the document", "currencies", what)
    _refuse_repeats(given, "currencies")
    return tuple(given)


def _idle_us(document: Mapping[str, Any], features: tuple[Feature, ...]) -> int:
    reach = max((f.window_buckets + f.delay_buckets + 1) * f.resolution_us for f in features)
    if "forget_after" not in document:
        return max(reach, FORGET_AFTER_US)
    idle = _span(document, "forget_after", "the document")
    if idle < reach:
        what = f"is {document['forget_after']!r}; windows reach back {duration_text(reach)}, a bucket more than their delay and length"
        raise _refusal("the document", "forget_after", what)
    return idle


def _feature(row: Any, where: str, entities: tuple[str, ...], label_entities: tuple[str, ...]) -> Feature:
    if not isinstance(row, Mapping):
        raise _refusal(where, "", "is not a mapping")
    name, op = row.get("name"), row.get("op")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _refusal(where, "name", f"is {name!r}, not a lower-case name of at most 64 letters, digits and _")
    if not isinstance(op, str) or op not in OPS:
        raise _refusal(name, "op", f"is {op!r}, not one of {', '.join(sorted(OPS))}")
    if name == "amount_minor" and op != "amount":
        raise _refusal(name, "name", "is taken by the payment's own amount")
    _known(row, {"name", "op", *_fields(op)}, name, where)
    entity = "" if op in ROW_OPS else _member(row, "entity", name, entities)
    if op in FRAUD_OPS and entity not in label_entities:
        raise _refusal(name, "entity", f"is {entity!r}, which is not among the label_entities")
    if op in AMOUNT_OPS and row.get("value") != "amount_minor":
        raise _refusal(name, "value", f"is {row.get('value')!r}; the one value kept in windows is amount_minor")
    of = _member(row, "of", name, entities) if op == "distinct" else ""
    if of and of == entity:
        raise _refusal(name, "of", "is the entity itself")
    return _windowed(row, Feature(name, op, entity, of)) if op in WINDOW_OPS else _plain(row, Feature(name, op, entity))


def _fields(op: str) -> set[str]:
    if op in ROW_OPS:
        return {"to_hour"} if op == "night" else set()
    if op == "since_last":
        return {"entity", "unit"}
    extra = {"value"} if op in AMOUNT_OPS else {"of"} if op == "distinct" else set()
    return {"entity", *_WINDOW_FIELDS, *extra}


def _plain(row: Mapping[str, Any], feature: Feature) -> Feature:
    if feature.op == "night":
        hour = row.get("to_hour")
        if not isinstance(hour, int) or isinstance(hour, bool) or not 0 <= hour <= 23:
            raise _refusal(feature.name, "to_hour", f"is {hour!r}, not an hour from 0 to 23")
        return feature._replace(to_hour=hour)
    if feature.op == "since_last":
        unit = row.get("unit", "us")
        if not isinstance(unit, str) or unit not in UNITS:
            raise _refusal(feature.name, "unit", f"is {unit!r}, not one of {', '.join(UNITS)}")
        return feature._replace(unit_us=UNITS[unit])
    return feature


def _windowed(row: Mapping[str, Any], feature: Feature) -> Feature:
    resolution = _span(row, "resolution", feature.name)
    window, delay = _span(row, "window", feature.name), _span(row, "delay", feature.name, "0s")
    if resolution <= 0 or window <= 0:
        field = "window" if resolution > 0 else "resolution"
        raise _refusal(feature.name, field, "is zero")
    for field, span in (("window", window), ("delay", delay)):
        if span % resolution:
            raise _refusal(feature.name, field, f"{row[field]!r} is not a whole number of {row['resolution']!r}")
    if (window + delay) // resolution > BUCKETS_MAX:
        raise _refusal(feature.name, "resolution", f"makes more than {BUCKETS_MAX} buckets of the window and its delay")
    if delay and feature.op == "distinct":
        raise _refusal(feature.name, "delay", "is not offered for distinct")
    current = row.get("include_current", False)
    if not isinstance(current, bool):
        raise _refusal(feature.name, "include_current", f"is {current!r}, not true or false")
    return feature._replace(
        resolution_us=resolution,
        window_buckets=window // resolution,
        delay_buckets=delay // resolution,
        include_current=current,
    )


def _span(row: Mapping[str, Any], field: str, name: str, default: str | None = None) -> int:
    try:
        return duration_us(row.get(field, default))
    except AssayError as error:
        raise _refusal(name, field, f"is {row.get(field)!r}, not a duration such as 7d, 6h or 5min") from error


def _member(row: Mapping[str, Any], field: str, name: str, entities: tuple[str, ...]) -> str:
    value = row.get(field)
    if not isinstance(value, str) or value not in entities:
        raise _refusal(name, field, f"is {value!r}, not one of the entities {', '.join(entities)}")
    return value


def _names(document: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values = document.get(field, [] if field == "label_entities" else None)
    if not isinstance(values, list) or not all(isinstance(v, str) and _NAME.fullmatch(v) for v in values):
        raise _refusal("the document", field, "is not a list of lower-case names")
    _refuse_repeats(values, field)
    return tuple(values)


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise _refusal("the document", field, f"is {value!r}, not a text of 1 to 64 characters")
    return value


def _known(row: Mapping[str, Any], fields: set[str], name: str, where: str) -> None:
    for field in row:
        if field not in fields:
            raise _refusal(name, str(field), f"is not a field here; known are {', '.join(sorted(fields))}", where)


def _refuse_repeats(names: list[str], field: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _refusal("the document", field, f"names {name!r} twice")


def _refusal(name: str, field: str, what: str, where: str = "") -> Stop:
    subject = f"{name}, field {field}" if field else name
    return Stop(Reason.FEATURE_DOCUMENT_INVALID, f"{subject}: {what}", where=where, remedy=_REMEDY)
