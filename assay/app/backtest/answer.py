"""The answer of a backtest as one value: counts and sums, nothing that has to be looked up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assay.contracts.instants import text

#: the outcome of a payment that one of the policies does not decide: its lane refuses it
REFUSED = "refused"


@dataclass(frozen=True)
class PolicyNames:
    """The documents of one side. `name` is what a person calls it."""

    name: str
    features: str
    features_sha256: str
    rules: str
    rules_sha256: str


@dataclass(frozen=True)
class Cell:
    """Payments of one currency with these two outcomes. `frauds` is None without truth."""

    before: str
    after: str
    currency: str
    payments: int
    frauds: int | None
    amount_minor: int


@dataclass(frozen=True)
class ReasonChange:
    """How often a reason fired, of these how often alone, and on how many frauds. `gone` and `new` count payments."""

    code: str
    before: int
    after: int
    gone: int
    new: int
    alone_before: int
    alone_after: int
    frauds_before: int | None
    frauds_after: int | None


@dataclass(frozen=True)
class ChangedPayment:
    """A payment whose outcome changed. Scores are None where it was refused. `source_id` is its id in the file of the run's world."""

    event_id: str
    source_id: str | None
    ts_us: int
    amount_minor: int
    currency: str
    fraud: bool | None
    before: str
    after: str
    score_before: int | None
    score_after: int | None
    reasons_gone: tuple[str, ...]
    reasons_new: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data, with the time as text."""
        named = {key: value for key, value in asdict(self).items() if key not in ("ts_us", "before", "after")}
        return {**named, "ts_utc": text(self.ts_us), "from": self.before, "to": self.after}


@dataclass(frozen=True)
class Answer:
    """What would have changed. `payments` counts those that at least one side decided; `rescored` those with the outcome of before,
    but another score or other reasons. `refused` counts payments that a lane refused, by side and reason. `columns` says where columns
    came from that the journal does not hold. `unnamed` counts payments without an id of any entity of the policy: a gate would refuse them.
    `exponents` are of the minor units of currencies that are known.
    """

    run_id: str
    before: PolicyNames
    after: PolicyNames
    payments: int
    changed: int
    rescored: int
    truth: str
    cells: Sequence[Cell]
    reasons: Sequence[ReasonChange]
    first: Sequence[ChangedPayment]
    refused: Mapping[str, Mapping[str, int]]
    columns: Mapping[str, str]
    unnamed: int
    exponents: Mapping[str, int]
    digests: Mapping[str, str]

    @property
    def same_documents(self) -> bool:
        """Whether the other policy is the run's own."""
        mine, other = self.before, self.after
        return (mine.features_sha256, mine.rules_sha256) == (other.features_sha256, other.rules_sha256)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": self.run_id,
            "policies": {"from": asdict(self.before), "to": asdict(self.after), "same_documents": self.same_documents},
            "payments": self.payments,
            "changed": self.changed,
            "rescored": self.rescored,
            "truth": self.truth,
            "outcomes": [_from_to(asdict(cell)) for cell in self.cells],
            "reasons": [asdict(reason) for reason in self.reasons],
            "refused": {side: dict(counts) for side, counts in self.refused.items()},
            "columns": dict(self.columns),
            "without_entity": self.unnamed,
            "exponents": dict(self.exponents),
            "decision_digests": dict(self.digests),
            "first_changed": [changed.as_json() for changed in self.first],
        }


def _from_to(cell: dict[str, Any]) -> dict[str, Any]:
    return {"from": cell.pop("before"), "to": cell.pop("after"), **cell}
