"""S4 of segment 6B as two states: labels and bank view part by part, then the cases of all parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.output import Column, Output
from assay.engine.quantiles import exponential
from assay.engine.scenario import DAY_US, time_parts
from assay.engine.segment import Scene, State
from assay.engine.truth.bank_kernel import bank_views, true_subtypes
from assay.engine.truth.case_kernel import EVENTS_PER_FLOW, walk_cases
from assay.engine.truth.document import US, BankView, arrays_of
from assay.engine.truth.words import BANK_LABELS, CASE_EVENTS, CONFIRMED_FRAUD, LABEL_OF, LABELS, LEGIT, SUBTYPES, WRITTEN_OFF

IDENTITY = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id")
TOKENS = ("seed", "parameter_hash", "manifest_fingerprint", "scenario_id")
Ints: TypeAlias = NDArray[np.int64]
Codes: TypeAlias = NDArray[np.uint8]
#: minor units of a major unit
MINOR = 100
FLOWS, CAMPAIGNS, EVENTS = "s3_flow_anchor_with_fraud_6B", "s3_campaign_catalogue_6B", "s3_event_stream_with_fraud_6B"
_OWNERS = ("instrument_id", "account_id", "party_id", "merchant_id")
_TIMES = ("opened_us", "detected_us", "disputed_us", "charged_back_us", "decided_us")


def _output(output_id: str, columns: tuple[Column, ...], keys: tuple[str, ...], join_keys: tuple[str, ...] = ()) -> Output:
    return Output(output_id, "6B", 3, columns, keys, "truth_products", identity=IDENTITY, tokens=TOKENS, join_keys=join_keys or keys)


TRUTH = _output(
    "s4_flow_truth_labels_6B",
    (Column("flow_id", "id"), Column("is_fraud_truth", "bool"), Column("fraud_label", "text", words=LABELS)),
    ("flow_id",),
)
BANK = _output(
    "s4_flow_bank_view_6B",
    (
        Column("flow_id", "id"),
        Column("is_fraud_bank_view", "bool"),
        Column("bank_label", "text", words=BANK_LABELS),
        Column("known_ts_utc", "time", nullable=True),
    ),
    ("flow_id",),
)
EVENT_LABELS = _output(
    "s4_event_labels_6B",
    (Column("flow_id", "id"), Column("event_seq", "int"), Column("is_fraud_truth", "bool"), Column("is_fraud_bank_view", "bool")),
    ("flow_id", "event_seq"),
)
OPENINGS = _output(
    "s4_case_openings_6B",
    (
        Column("flow_id", "id"),
        *(Column(name, "id64" if name == "merchant_id" else "id", nullable=True) for name in _OWNERS),
        *(Column(name, "int") for name in _TIMES),
    ),
    ("flow_id",),
)
TIMELINE = _output(
    "s4_case_timeline_6B",
    (
        Column("case_id", "id"),
        Column("case_event_seq", "int"),
        Column("flow_id", "id"),
        Column("case_event_type", "text", words=CASE_EVENTS),
        Column("ts_utc", "time"),
    ),
    ("case_id", "case_event_seq"),
    ("flow_id",),
)


def labels(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Truth, bank view, labels of events, and the flows that open a case."""
    document = scene.parameters.of(BankView)
    flows = _with_codes(scene, part, tuple(document.classes))
    rows = len(flows)
    arrays = arrays_of(document, tuple(document.classes), MINOR)
    ids, times = _ints(flows["flow_id"]), _ints(flows["ts_us"])
    amounts, classes = _ints(flows["amount_minor"]), _ints(flows["class_code"])
    subtypes, codes, at = np.empty(rows, np.int64), np.empty((rows, 2), np.int64), np.empty((rows, 6), np.int64)
    keys = frozen(np.array([scene.key("prone"), scene.key("friendly")]), np.uint64)
    true_subtypes(keys, ids, _ints(flows["party_id"]), amounts, _ints(flows["subtype_code"]), arrays.singles, subtypes)
    bank_views(scene.key("bank"), ids, times, amounts, classes, frozen(subtypes, np.int64), LABEL_CODES, tuple(arrays), codes, at)
    truth = LABEL_CODES[subtypes]
    is_fraud, seen = truth != LEGIT, (codes[:, 1] == CONFIRMED_FRAUD) | (codes[:, 1] == WRITTEN_OFF)
    known = pl.Series(at[:, 5]).replace(-1, None).cast(pl.Datetime("us", "UTC"))
    flow_id = flows["flow_id"]
    verdicts = pl.DataFrame({"flow_id": flow_id, "is_fraud_truth": is_fraud, "is_fraud_bank_view": seen})
    events = scene.table(EVENTS, part, ["flow_id", "event_seq"])
    opening = at[:, 0] >= 0
    return {
        TRUTH.output_id: pl.DataFrame({"flow_id": flow_id, "is_fraud_truth": is_fraud, "fraud_label": _words(truth, LABELS)}),
        BANK.output_id: pl.DataFrame(
            {"flow_id": flow_id, "is_fraud_bank_view": seen, "bank_label": _words(codes[:, 1], BANK_LABELS), "known_ts_utc": known}
        ),
        EVENT_LABELS.output_id: events.join(verdicts, on="flow_id", how="left", maintain_order="left"),
        OPENINGS.output_id: flows.select("flow_id", *_OWNERS)
        .with_columns(pl.Series(name, at[:, number]) for number, name in enumerate(_TIMES))
        .filter(opening),
    }


def timeline(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """The cases: flows of one owner near in time are one case."""
    case_ids, flows, kinds, times = _walked(scene)
    order = np.lexsort((times, case_ids))
    case_ids = case_ids[order]
    begins = np.flatnonzero(np.diff(case_ids, prepend=case_ids[:1] - 1))
    seq = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return {
        TIMELINE.output_id: pl.DataFrame(
            {
                "case_id": case_ids,
                "case_event_seq": seq,
                "flow_id": flows[order],
                "case_event_type": pl.Series(kinds[order]).cat.to(pl.Enum(CASE_EVENTS)),
                "ts_utc": pl.Series(times[order]).cast(pl.Datetime("us", "UTC")),
            }
        )
    }


def _walked(scene: Scene) -> tuple[Ints, Ints, Codes, Ints]:
    """The events of all cases as they are made: case, flow, kind, time in µs."""
    rules, close = scene.parameters.of(BankView).cases, scene.parameters.of(BankView).delays.close
    owners, ids, at = _openings(scene, rules.keys)
    room = len(ids) * EVENTS_PER_FLOW
    case_ids, flows, times = (np.empty(room, np.int64) for _ in range(3))
    kinds = np.empty(room, np.uint8)
    bounds = np.array(
        [rules.group_days * DAY_US, rules.reopen_days * DAY_US, close.term_s * US, close.second, close.min_s * US], np.float64
    )
    count = walk_cases(scene.key("cases"), owners, ids, at, frozen(bounds, np.float64), exponential(), case_ids, flows, kinds, times)
    return case_ids[:count], flows[:count], kinds[:count], times[:count]


def _openings(scene: Scene, keys: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """Numbers of owners, flows and times (columns) by owner, time and flow. The owner is the first of the keys that a flow has."""
    found = scene.table(OPENINGS.output_id, columns=["flow_id", *_OWNERS, *_TIMES])
    kind = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(number, pl.UInt8)) for number, name in enumerate(keys))
    named = found.select(kind.alias("kind"), pl.coalesce(pl.col(name).cast(pl.UInt64) for name in keys).alias("id")).fill_null(0)
    kinds, names, opened, ids = (column.to_numpy() for column in (*named.iter_columns(), found["opened_us"], found["flow_id"]))
    order = np.lexsort((ids, opened, names, kinds))
    kinds, names = kinds[order], names[order]
    owners = np.cumsum((np.diff(names, prepend=names[:1]) != 0) | (np.diff(kinds, prepend=kinds[:1]) != 0))
    at = np.empty((len(order), len(_TIMES)), np.int64)
    for column, name in enumerate(_TIMES):
        at[:, column] = found[name].to_numpy()[order]
    return frozen(owners, np.int64), frozen(ids[order], np.int64), frozen(at, np.int64)


LABEL_CODES = frozen(np.array(LABEL_OF), np.int64)
#: their campaigns' subtypes come from the catalogue, their demand classes from the merchants
LABELLING = State("S4", (FLOWS, EVENTS, CAMPAIGNS, "merchant_zone_profile_5A"), (TRUTH, BANK, EVENT_LABELS, OPENINGS), labels, time_parts)
CASES = State("S4C", (OPENINGS.output_id,), (TIMELINE,), timeline)


def _with_codes(scene: Scene, part: int, classes: tuple[str, ...]) -> pl.DataFrame:
    """The flows of a part with codes of demand class and subtype, times in µs and amounts in minor units."""
    subtypes = scene.table(CAMPAIGNS).select(
        "campaign_id", pl.col("subtype").cast(pl.String).replace_strict(_codes(SUBTYPES)).alias("subtype_code")
    )
    merchants = scene.table("merchant_zone_profile_5A", None, ["merchant_id", "demand_class"]).unique("merchant_id")
    coded = merchants.select("merchant_id", pl.col("demand_class").cast(pl.String).replace_strict(_codes(classes)).alias("class_code"))
    return (
        scene.table(FLOWS, part, ["flow_id", *_OWNERS, "ts_utc", "amount", "campaign_id"])
        .join(subtypes.with_columns(pl.col("campaign_id").cast(pl.String)), on="campaign_id", how="left", maintain_order="left")
        .join(coded, on="merchant_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("ts_utc").dt.epoch("us").alias("ts_us"),
            (pl.col("amount") * MINOR).round().cast(pl.Int64).alias("amount_minor"),
            pl.col("subtype_code").fill_null(0),
        )
    )


def _codes(words: tuple[str, ...]) -> dict[str, int]:
    return {word: code for code, word in enumerate(words)}


def _words(codes: np.ndarray[tuple[int], np.dtype[np.int64]], words: tuple[str, ...]) -> pl.Series:
    return pl.Series(codes).cast(pl.UInt8).cat.to(pl.Enum(words))


def _ints(series: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return frozen(series.to_numpy(), np.int64)
