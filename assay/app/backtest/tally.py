"""Decisions of two policies on the same payments, counted. Batches are compared and forgotten: memory holds counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from assay.app.backtest.answer import REFUSED, Cell, ChangedPayment, ReasonChange
from assay.app.backtest.folding import Both
from assay.app.backtest.truth import Truth
from assay.app.oracle.file_rows import FileRows
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.report.avro_frame import AvroFrame
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Columns, Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.outcomes import OUTCOMES
from assay.tables.row_kinds import PAYMENT

#: payments compared together
TOGETHER = 20_000
_FIELDS: dict[str, tuple[str, Any]] = {
    "partition": ("source_event.partition", "long"),
    "offset": ("source_event.offset", "long"),
    "event_id": ("source_event.event_id", "string"),
    "ts_us": ("source_event.ts_utc", "long"),
    "outcome": ("outcome", "string"),
    "score": ("score", "long"),
    "reasons": ("reasons", {"type": "array", "items": "string"}),
}
_ONLY = frozenset(field for field, _ in _FIELDS.values())
_FRAME = AvroFrame({name: kind for name, (_, kind) in _FIELDS.items()})
#: the record of a payment: both sides decide about it
_PLACE = ("partition", "offset")
SOURCE_ID = "source_id"
_ORDER = {name: number for number, name in enumerate((*OUTCOMES, REFUSED))}


class Tally:
    """Takes what two policies decided, record by record.

    `on_changed` gets every payment whose outcome changed, in order; `world` knows the ids that they have in their file.
    """

    def __init__(
        self,
        truth: Truth,
        world: SealedWorld | None,
        on_changed: Callable[[ChangedPayment], None],
        together: int = TOGETHER,
    ) -> None:
        self.payments = self.changed = self.rescored = 0
        self.refused = {"from": Counter[str](), "to": Counter[str]()}
        self.currencies: set[str] = set()
        self.digests = {"from": DecisionDigest(), "to": DecisionDigest()}
        self._truth, self._on_changed, self._together = truth, on_changed, together
        self._of_file = None if world is None else FileRows(world, [SOURCE_ID])
        self._cells: Counter[tuple[str, str, str, str]] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._waiting: tuple[list[pl.DataFrame], list[pl.DataFrame], list[pl.DataFrame]] = ([], [], [])
        self._held = 0

    def add(self, both: Both) -> None:
        """Take one journal record."""
        for side, given, at in (("from", both.ours, 1), ("to", both.theirs, 2)):
            self.refused[side].update(given.refused)
            if given.decided is not None and len(given.decided.lengths):
                self.digests[side].update(given.decided)
                self._waiting[at].append(_decisions(given.decided))
        if both.rows:
            rows = _payments(both.rows)
            self._waiting[0].append(rows)
            self._held += len(rows)
        if self._held >= self._together:
            self.flush()

    def flush(self) -> None:
        """Compare what waits."""
        rows, ours, theirs = (pl.concat(frames) if frames else None for frames in self._waiting)
        self._waiting, self._held = ([], [], []), 0
        if rows is None or rows.is_empty():
            return
        self.currencies |= set(rows["currency"].to_list())
        before, after = (_empty() if frame is None else frame for frame in (ours, theirs))
        together = (
            rows.join(before, on=_PLACE, how="left", maintain_order="left")
            .join(after, on=_PLACE, how="left", maintain_order="left", suffix="_after")
            .filter(pl.col("outcome").is_not_null() | pl.col("outcome_after").is_not_null())
            .with_columns(
                event_id=pl.coalesce("event_id", "event_id_after"),
                ts_us=pl.coalesce("ts_us", "ts_us_after"),
                before=pl.col("outcome").fill_null(REFUSED),
                after=pl.col("outcome_after").fill_null(REFUSED),
            )
            .with_row_index("number")
            .with_columns(fraud=pl.col("event_id").is_in(self._truth.frauds.implode()))
        )
        self._count(together)

    def _count(self, together: pl.DataFrame) -> None:
        self.payments += len(together)
        grouped = together.group_by("before", "after", "currency").agg(pl.len(), pl.col("fraud").sum(), pl.col("amount_minor").sum())
        for before, after, currency, *counts in grouped.iter_rows():
            for name, count in zip(("payments", "frauds", "amount"), counts, strict=True):
                self._cells[before, after, currency, name] += count
        other = pl.col("before") != pl.col("after")
        rescored = ~other & ((pl.col("score") != pl.col("score_after")) | (pl.col("reasons") != pl.col("reasons_after")))
        self.rescored += together.filter(rescored).height
        changed = together.filter(other)
        self.changed += len(changed)
        file_ids = pl.lit(None, pl.String) if self._of_file is None else self._of_file.of(changed)[SOURCE_ID]
        for row in changed.with_columns(file_ids.alias(SOURCE_ID)).iter_rows(named=True):
            self._on_changed(_changed(row, known=self._truth.known))
        for code, *numbers in _reasons(together).iter_rows():
            for name, number in zip(_REASON_COUNTS, numbers, strict=True):
                self._reasons[code, name] += number

    def cells(self) -> list[Cell]:
        """Counts by outcomes and currency, mildest outcome first."""
        keys = sorted({key[:3] for key in self._cells}, key=lambda key: (_ORDER[key[0]], _ORDER[key[1]], key[2]))
        return [self._cell(*key) for key in keys]

    def _cell(self, before: str, after: str, currency: str) -> Cell:
        payments, frauds, amount = (self._cells[before, after, currency, name] for name in ("payments", "frauds", "amount"))
        return Cell(before, after, currency, payments, self._frauds(frauds), amount)

    def reasons(self) -> list[ReasonChange]:
        """Counts by reason, the reasons that changed most first."""
        codes = sorted({code for code, _ in self._reasons}, key=lambda code: (-self._moved(code), code))
        return [self._reason(code) for code in codes]

    def _moved(self, code: str) -> int:
        return self._reasons[code, "gone"] + self._reasons[code, "new"]

    def _reason(self, code: str) -> ReasonChange:
        counts = {name: self._reasons[code, name] for name in _REASON_COUNTS}
        frauds = [self._frauds(counts.pop(name)) for name in ("frauds_before", "frauds_after")]
        return ReasonChange(code, **counts, frauds_before=frauds[0], frauds_after=frauds[1])

    def _frauds(self, count: int) -> int | None:
        return count if self._truth.known else None


_REASON_COUNTS = ("before", "after", "gone", "new", "alone_before", "alone_after", "frauds_before", "frauds_after")


def _decisions(values: Strings) -> pl.DataFrame:
    read = decode(plan_of("decision_response", _ONLY), values.data, values.starts, values.lengths, HEADER_BYTES).columns
    return _FRAME.of({name: read[field] for name, (field, _) in _FIELDS.items()})


def _empty() -> pl.DataFrame:
    kinds = {"string": pl.String, "long": pl.Int64}
    return pl.DataFrame(schema={name: kinds[kind] if isinstance(kind, str) else pl.List(pl.String) for name, (_, kind) in _FIELDS.items()})


def _payments(rows: Columns) -> pl.DataFrame:
    at = np.flatnonzero(np.asarray(rows["kind"]) == PAYMENT)
    numbers = {name: np.asarray(rows[name])[at].astype(np.int64) for name in (*_PLACE, "amount_minor")}
    currency = rows["currency"]
    assert isinstance(currency, Strings)
    return pl.DataFrame({**numbers, "currency": currency.take(at).text()}, schema_overrides={"currency": pl.String})


def _changed(row: dict[str, Any], *, known: bool) -> ChangedPayment:
    before, after = row["reasons"] or [], row["reasons_after"] or []
    return ChangedPayment(
        event_id=row["event_id"],
        source_id=row[SOURCE_ID],
        ts_us=row["ts_us"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        fraud=row["fraud"] if known else None,
        before=row["before"],
        after=row["after"],
        score_before=row["score"],
        score_after=row["score_after"],
        reasons_gone=tuple(code for code in before if code not in after),
        reasons_new=tuple(code for code in after if code not in before),
    )


def _reasons(together: pl.DataFrame) -> pl.DataFrame:
    """One row per code: how often before, after, gone, new, alone before and after, on frauds before and after."""
    sides = []
    for column, name in (("reasons", "was"), ("reasons_after", "is")):
        fired = together.select("number", "fraud", code=pl.col(column), alone=pl.col(column).list.len() == 1)
        exploded = fired.explode("code").drop_nulls("code")
        flagged = {name: pl.lit(value=True), f"{name}_alone": pl.col("alone"), f"{name}_fraud": pl.col("fraud")}
        sides.append(exploded.select("number", "code", **flagged))
    flags = ("was", "is", "was_alone", "is_alone", "was_fraud", "is_fraud")
    both = sides[0].join(sides[1], on=("number", "code"), how="full", coalesce=True).with_columns(pl.col(*flags).fill_null(value=False))
    return both.group_by("code").agg(
        pl.col("was").sum().alias("before"),
        pl.col("is").sum().alias("after"),
        (pl.col("was") & ~pl.col("is")).sum().alias("gone"),
        (pl.col("is") & ~pl.col("was")).sum().alias("new"),
        pl.col("was_alone").sum().alias("alone_before"),
        pl.col("is_alone").sum().alias("alone_after"),
        pl.col("was_fraud").sum().alias("frauds_before"),
        pl.col("is_fraud").sum().alias("frauds_after"),
    )
