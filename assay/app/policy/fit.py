"""Whether a policy fits the payments it is to decide: their entities and their currencies."""

from __future__ import annotations

from collections.abc import Sequence

from assay.app.policy.documents import Policy
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def refuse_misfit(policy: Policy, entities: Sequence[str], currencies: Sequence[str]) -> None:
    """Raises Stop(POLICY_ENTITY_ABSENT, CURRENCY_NOT_OF_POLICY). No currencies: nobody has said which there are."""
    absent = [name for name in policy.feature_plan.entities if name not in entities]
    if absent:
        raise Stop(
            Reason.POLICY_ENTITY_ABSENT,
            f"the features of policy '{policy.name}' are kept per {absent[0]}, which no payment of this world names",
            where=f"entities of the world: {', '.join(entities)}",
            remedy="Name the column in the mapping, or take another --policy; `assay policy new` writes one that fits a mapping.",
        )
    _refuse_currencies(policy, currencies)


def _refuse_currencies(policy: Policy, held: Sequence[str]) -> None:
    """A sum over amounts of several currencies is a number of nothing, unless the policy says that it may be made."""
    document = policy.feature_plan.document
    known = document.currencies
    others = [code for code in held if known and code not in known]
    if others:
        what = f"this world has payments in {', '.join(others)}, the features of policy '{policy.name}' are of {', '.join(known or ())}"
    elif len(held) > 1 and known is None and document.adds_amounts:
        what = f"this world has payments in {', '.join(held)}, and features of policy '{policy.name}' add amounts of one currency"
    else:
        return
    raise Stop(
        Reason.CURRENCY_NOT_OF_POLICY,
        what,
        where="currencies in features.yaml",
        remedy=f"Write `currencies: [{', '.join(held)}]` there if these amounts may be added as they are, or import one currency.",
    )
