"""`bank_view.yaml`, and what kernels take of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from assay.codecs.kernel import frozen
from assay.engine.parameters import Document
from assay.engine.quantiles import Table, exponential, lognormal
from assay.engine.truth.words import AUTHORISATIONS, LABELS, SUBTYPES

Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0)]
F64 = NDArray[np.float64]
US = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FriendlyFraud(_Part):
    """Parties who dispute what they bought. `above`: major units."""

    prone_share: Share
    above: Factor
    rate: Share


class FalsePositives(_Part):
    """Legitimate payments that the bank confirms as fraud. `reference`: major units."""

    rate: Share
    reference: Annotated[float, Field(gt=0)]
    factor_min: Factor
    factor_max: Factor


class Detection(_Part):
    """Seconds from a payment to its detection: at authorisation, and behind it."""

    authorisation_s: Annotated[int, Field(ge=1)]
    quick_share: Share
    quick_s: Annotated[int, Field(ge=1)]
    mu: str
    sigma: str
    max_s: str


class Lognormal(_Part):
    """A delay, in seconds."""

    mu: str
    sigma: str
    min_s: str
    max_s: str


class Chargeback(Lognormal):
    """Seconds from a dispute to its chargeback: an Erlang term and perhaps a second one, or a lognormal tail."""

    erlang_share: Share
    term_s: Factor
    second: Share


class Erlang(_Part):
    """Seconds: `min_s`, an exponential term, and a second one so often."""

    term_s: Factor
    second: Share
    min_s: Factor


class Delays(_Part):
    """Delay models."""

    detection: Detection
    dispute: Lognormal
    chargeback: Chargeback
    decision: Erlang
    close: Erlang


class CaseRules(_Part):
    """How flows become cases."""

    keys: Annotated[list[Literal["instrument_id", "account_id", "party_id", "merchant_id"]], Field(min_length=1)]
    group_days: Annotated[int, Field(ge=0)]
    reopen_days: Annotated[int, Field(ge=0)]


class BankView(Document):
    """The document."""

    document = "bank_view"
    friendly_fraud: FriendlyFraud
    rates: dict[str, Annotated[list[Share], Field(min_length=4, max_length=4)]]
    rate_cap: Share
    classes: dict[str, Annotated[list[Factor], Field(min_length=4, max_length=4)]]
    false_positives: FalsePositives
    authorisation: dict[str, Share]
    chargebacks: dict[str, Annotated[list[Share], Field(min_length=3, max_length=3)]]
    delays: Delays
    cases: CaseRules

    @model_validator(mode="after")
    def _whole(self) -> BankView:
        for name, found, expected in (
            ("rates", self.rates, SUBTYPES),
            ("authorisation", self.authorisation, AUTHORISATIONS),
            ("chargebacks", self.chargebacks, LABELS),
        ):
            if sorted(found) != sorted(expected):
                raise ValueError(f"{name} must have {', '.join(expected)}")
        for name, shares in (("authorisation", [*self.authorisation.values()]), *self.chargebacks.items()):
            if abs(sum(shares) - 1) > 1e-9:
                raise ValueError(f"{name}: shares add up to {sum(shares)}, not to 1")
        return self


class BankArrays(NamedTuple):
    """The document as kernels take it. Amounts in minor units, delays in µs."""

    rates: F64
    classes: F64
    shares: F64
    outcomes: F64
    singles: F64
    detection: Table
    dispute: Table
    chargeback: Table
    terms: Table


#: places in `singles`
CAP, FP_RATE, FP_REFERENCE, FP_MIN, FP_MAX, PRONE, PRONE_ABOVE, PRONE_RATE, QUICK, QUICK_US, ERLANG, ERLANG_US, ERLANG_SECOND = range(13)
DECISION_US, DECISION_SECOND, DECISION_MIN_US, AUTHORISATION_US = 13, 14, 15, 16


def arrays_of(document: BankView, classes: tuple[str, ...], minor: int) -> BankArrays:
    """Arrays of a document, for demand classes in this order. `minor`: minor units of a major one."""
    delays, false, friendly = document.delays, document.false_positives, document.friendly_fraud
    singles: list[Any] = [document.rate_cap, false.rate, false.reference * minor, false.factor_min, false.factor_max]
    singles += [friendly.prone_share, friendly.above * minor, friendly.rate, delays.detection.quick_share, delays.detection.quick_s * US]
    singles += [delays.chargeback.erlang_share, delays.chargeback.term_s * US, delays.chargeback.second]
    singles += [delays.decision.term_s * US, delays.decision.second, delays.decision.min_s * US]
    singles += [delays.detection.authorisation_s * US]
    detection, dispute, late = delays.detection, delays.dispute, delays.chargeback
    return BankArrays(
        frozen(np.array([document.rates[name] for name in SUBTYPES]), np.float64),
        frozen(np.array([document.classes[name] for name in classes]), np.float64),
        frozen(np.cumsum([document.authorisation[name] for name in AUTHORISATIONS]), np.float64),
        frozen(np.cumsum([document.chargebacks[name] for name in LABELS], axis=1), np.float64),
        frozen(np.array(singles), np.float64),
        lognormal(detection.mu, detection.sigma, "1", detection.max_s),
        lognormal(dispute.mu, dispute.sigma, dispute.min_s, dispute.max_s),
        lognormal(late.mu, late.sigma, late.min_s, late.max_s),
        exponential(),
    )
