"""The names that one run knows: entities of its policy and its world, currencies, what tells the truth. Items with others are refused.

Also the day before which it has no payments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from assay.app.run.directory import RunConfig
from assay.contracts import instants
from assay.contracts.currencies import ISO_4217, is_currency
from assay.contracts.errors import Quarantine
from assay.contracts.json_schema import place
from assay.contracts.keys import ENTITY_PRECEDENCE
from assay.contracts.limits import EARLIEST
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name
from assay.tables.feature_document import AMOUNT_OPS, ONE_CURRENCY

#: `scenario_id` of the shipped mapping `world`: the payments of a bank that the data engine made
ENGINE_SCENARIO: Final = "world"


@dataclass(frozen=True)
class RunNames:
    """What a run calls its things. Without `policy_entities` nothing can be decided, and any entity is taken.

    `policy_entities` are those that the run's features are kept by, `policy_currencies` those whose amounts they add (none: any).
    `extra_entities`, `extra_currencies` and `truth_columns` are the
    world's own: what its payments name beside the policy, currencies that ISO 4217 does not have, what its mapping calls the truth.
    """

    policy_entities: tuple[str, ...] = ()
    policy_currencies: tuple[str, ...] = ()
    extra_entities: tuple[str, ...] = ()
    extra_currencies: tuple[str, ...] = ()
    truth_columns: tuple[str, ...] = ()
    #: whether the features add amounts of one currency, and no document says which
    one_currency: bool = False
    #: whether the run's payments are of a bank that the data engine made: ids of its entities are integers
    of_engine: bool = False
    #: entities whose ids may read as payment card numbers
    ids_in_clear: frozenset[str] = frozenset()
    #: the first day in UTC of which items are taken
    earliest: str = EARLIEST

    @classmethod
    def of(cls, config: RunConfig) -> RunNames:
        """The names of a run."""
        entities, currencies = (config.features.get(name, ()) for name in ("entities", "currencies"))
        listed = () if isinstance(currencies, str) else tuple(currencies)  # a word says how many currencies there may be
        one = currencies in ((), ONE_CURRENCY) and any(row.get("op") in AMOUNT_OPS for row in config.features.get("features", ()))
        known = (config.extra_entities, config.extra_currencies, config.truth_columns, one)
        of_engine, in_clear = config.scenario_id == ENGINE_SCENARIO, frozenset(config.ids_in_clear)
        return cls(tuple(entities), listed, *known, of_engine, in_clear, config.earliest or EARLIEST)

    @cached_property
    def entities(self) -> frozenset[str]:
        """Entities that an item may name: the run's own, and those that the bus has a meaning for (the key of a record)."""
        return frozenset((*self.policy_entities, *self.extra_entities, *ENTITY_PRECEDENCE))

    @cached_property
    def truth(self) -> frozenset[str]:
        """Plain names of the truth."""
        return frozenset(map(plain_name, self.truth_columns))

    @cached_property
    def _earliest_us(self) -> int:
        return instants.day_us(self.earliest)

    def check_time(self, ts_us: int) -> None:
        """Raises Quarantine(TIME_TOO_EARLY)."""
        if ts_us < self._earliest_us:
            what = f"ts_utc {instants.text(ts_us)} is before {self.earliest}"
            remedy = "Correct the time, or its unit. Older payments come from a file whose mapping declares an 'earliest' day."
            raise Quarantine(Reason.TIME_TOO_EARLY, what, where="$.ts_utc", remedy=remedy)

    def check_entities(self, entities: Collection[str]) -> None:
        """Raises Quarantine(ENTITY_UNKNOWN) for a name that neither the run nor the bus knows: no feature would ever see it."""
        if self.policy_entities and not self.entities.issuperset(entities):
            name = next(name for name in entities if name not in self.entities)
            own = ", ".join(dict.fromkeys((*self.policy_entities, *self.extra_entities)))
            raise Quarantine(
                Reason.ENTITY_UNKNOWN,
                f"no feature and no topic knows the entity {name!r}",
                where=place(("payload", "entities", name)),
                remedy=f"{_nearest(name, sorted(self.entities))}The entities of this run are {own}; other facts go into attributes.",
            )

    def check_touches_policy(self, entities: Mapping[str, str | None]) -> None:
        """Raises Quarantine(ENTITY_MISSING) for a payment without an id of any entity that features are kept by: all would be empty."""
        for name in self.policy_entities:
            if entities.get(name) is not None:
                return
        if self.policy_entities:
            raise Quarantine(
                Reason.ENTITY_MISSING,
                f"the payment names no {' and no '.join(self.policy_entities)}",
                where="$.payload.entities",
                remedy=f"Name at least one of {', '.join(self.policy_entities)}: the features of this run's policy are kept by them.",
            )

    def check_currency(self, currency: str) -> None:
        """Raises Quarantine(CURRENCY_NOT_OF_POLICY | CURRENCY_UNKNOWN)."""
        if currency in self.policy_currencies:
            return
        if not is_currency(currency, self.extra_currencies):
            own = f", or {', '.join(self.extra_currencies)} of this run's world" if self.extra_currencies else ""
            raise Quarantine(
                Reason.CURRENCY_UNKNOWN,
                f"ISO 4217 has no currency {currency!r}",
                where="$.payload.currency",
                remedy=f"{_nearest(currency.upper(), sorted(ISO_4217))}Send a code of ISO 4217 in capitals{own}.",
            )
        if self.policy_currencies:
            raise Quarantine(
                Reason.CURRENCY_NOT_OF_POLICY,
                f"the features of this run add amounts in {', '.join(self.policy_currencies)}, not in {currency}",
                where="$.payload.currency",
                remedy=f"Send one of {', '.join(self.policy_currencies)}, or begin a run whose features.yaml lists {currency}.",
            )

    def check_pinned(self, currency: str, pinned: str) -> None:
        """Raises Quarantine(CURRENCY_NOT_OF_POLICY) for a currency that is not that of the run's first payment, `pinned`."""
        if currency != pinned:
            raise Quarantine(
                Reason.CURRENCY_NOT_OF_POLICY,
                f"the features of this run add amounts in one currency, {pinned} since its first payment, not in {currency}",
                where="$.payload.currency",
                remedy=f"Send {pinned}, or begin a run whose features.yaml has `currencies: [{pinned}, {currency}]` or `currencies: any`.",
            )


#: of a run without a policy
ANY_NAMES: Final = RunNames()


def _nearest(name: str, known: list[str]) -> str:
    found = get_close_matches(name, known, n=1)
    return f"Did you mean {found[0]!r}? " if found else ""
