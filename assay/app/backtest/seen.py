"""What the payments of a run name: ids of the entities of the other policy, and currencies that it has to add."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from assay.app.backtest.refusals import nowhere_named, other_currency
from assay.app.run.directory import RunConfig
from assay.codecs.columns import Columns, Strings
from assay.tables.feature_plan import FeaturePlan, compile_plan
from assay.tables.row_kinds import PAYMENT


class Seen:
    """Counts payments, and those that name an id of each entity of the other policy."""

    def __init__(self, entities: Sequence[str]) -> None:
        self.payments = self.unnamed = 0
        self.named = dict.fromkeys(entities, 0)

    def note(self, rows: Columns) -> None:
        """Take the rows of one journal record."""
        if not rows:
            return
        at = np.flatnonzero(np.asarray(rows["kind"]) == PAYMENT)
        there = {name: _texts(rows[f"entity.{name}"]).lengths[at] >= 0 for name in self.named}
        self.payments += len(at)
        self.unnamed += len(at) - int(np.count_nonzero(np.logical_or.reduce(list(there.values()))))
        for name, given in there.items():
            self.named[name] += int(np.count_nonzero(given))

    def refuse_absent(self, supplied: Collection[str], origin: str) -> None:
        """Raises Stop(POLICY_ENTITY_ABSENT) for an entity that was supplied from elsewhere and that no payment names."""
        for name, count in self.named.items():
            if not count and self.payments and f"entity.{name}" in supplied:
                raise nowhere_named(name, self.payments, origin)


def currency_check(run: RunConfig, plan: FeaturePlan) -> Callable[[set[str]], None]:
    """Refuses currencies that the policy does not add, as a run under it would. The run's own documents never refuse."""
    document, own = plan.document, compile_plan(run.features).document

    def check(seen: set[str]) -> None:
        if document.currencies == own.currencies:
            return
        strangers = sorted(seen.difference(document.currencies or seen))
        if strangers:
            raise other_currency(strangers, document.currencies or ())
        if document.currencies is None and document.adds_amounts and len(seen) > 1:
            raise other_currency(sorted(seen), ())

    return check


def _texts(column: object) -> Strings:
    assert isinstance(column, Strings)
    return column
