"""The refusals of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: makes the refusal of a column that is nowhere, from what was looked at in vain
NotJournaled: TypeAlias = Callable[[str], Stop]


def not_journaled(names: Sequence[str], run_id: str, journaled: Sequence[str]) -> NotJournaled:
    """The refusal of the columns of a run that neither journal nor topic nor world holds."""
    shown = ", ".join(name.removeprefix("entity.") for name in names)
    held = ", ".join(name.removeprefix("entity.") for name in journaled if name.startswith("entity."))

    def refusal(looked: str) -> Stop:
        return Stop(
            Reason.COLUMN_NOT_JOURNALED,
            f"the policy needs {shown}, which the journal of run {run_id} does not hold: the run's own policy did not read it",
            where=looked,
            remedy=f"Backtest a policy of what the journal holds ({held}), or begin a run with this policy: its journal will hold {shown}.",
        )

    return refusal


def nowhere_named(entity: str, payments: int, origin: str) -> Stop:
    """An entity of the policy that no payment of the run names: all of its features would be empty."""
    return Stop(
        Reason.POLICY_ENTITY_ABSENT,
        f"the features of the policy are kept per {entity}, which none of the {payments:,} payments of this run names",
        where=origin,
        remedy="Take it out of the policy, or correct its name.",
    )


def other_currency(found: Sequence[str], known: Sequence[str]) -> Stop:
    """Payments in currencies that the policy does not add."""
    of = f"are of {', '.join(known)}" if known else "add amounts of one currency"
    return Stop(
        Reason.CURRENCY_NOT_OF_POLICY,
        f"this run has payments in {', '.join(found)}, the features of the policy {of}",
        where="currencies in features.yaml",
        remedy=f"Write `currencies: [{', '.join(sorted({*found, *known}))}]` there if these amounts may be added as they are.",
    )
