"""One backtest from a run and a policy to the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from assay.agents.rule_plan import compile_rules
from assay.app.backtest.answer import Answer, ChangedPayment
from assay.app.backtest.candidate import Missing, config_under, missing_of, names_of, refuse_unfit
from assay.app.backtest.folding import folded
from assay.app.backtest.seen import Seen, currency_check
from assay.app.backtest.sources import Sources
from assay.app.backtest.tally import TOGETHER, Tally
from assay.app.backtest.truth import Truth, surveyed, truth_of
from assay.app.oracle.sealed_world import find_world
from assay.app.policy.documents import Policy
from assay.app.progress import unseen
from assay.app.report.payments import exponents_of
from assay.app.run.directory import Run
from assay.tables.feature_plan import compile_plan

#: called with payments done and payments in all
Progress = Callable[[int, int], None]


def refuse_unfit_policy(run: Run, policy: Policy) -> None:
    """Refuse a policy that does not fit the run's world before anything is read from a server."""
    refuse_unfit(run, policy, find_world(run.store, run.config.manifest_fingerprint))


def backtest(
    run: Run,
    policy: Policy,
    sources: Sources,
    limit: int = 0,
    on_changed: Callable[[ChangedPayment], object] = unseen,
    progress: Progress = unseen,
    together: int = TOGETHER,
) -> Answer:
    """What would have changed had this policy decided the run. `on_changed` gets each payment whose outcome changed, in order.
    `together` payments are compared at a time.

    The journal is folded from its first record, in its own order, under both policies: a decision sees what came before it and
    nothing else. Raises Stop (COLUMN_NOT_JOURNALED, POLICY_ENTITY_ABSENT, CURRENCY_NOT_OF_POLICY, RUN_CONFIG_MISMATCH, and as
    the lane does).
    """
    world = find_world(run.store, run.config.manifest_fingerprint)
    refuse_unfit(run, policy, world)
    missing = missing_of(run, config_under(run.config, policy), world, sources)
    survey = surveyed(sources.journal())
    truth = truth_of(world, survey)
    first: list[ChangedPayment] = []

    def note_changed(changed: ChangedPayment) -> None:
        if len(first) < limit:
            first.append(changed)
        on_changed(changed)

    seen = Seen(policy.feature_plan.entities)
    tally = Tally(truth, world, note_changed, together)
    for _ in _compared(run, policy, sources, missing, seen, tally):
        progress(seen.payments, survey.payments)
    exponents = {code: exponent for code, exponent in exponents_of(world).items() if code in tally.currencies}
    return replace(_answer(run, policy, truth, missing, seen, tally), first=tuple(first), exponents=exponents)


def _compared(run: Run, policy: Policy, sources: Sources, missing: Missing, seen: Seen, tally: Tally) -> Iterator[None]:
    """Fold the journal under both policies and count, a record at a time."""
    config, check = run.config, currency_check(run.config, policy.feature_plan)
    other = config_under(config, policy)
    with closing(missing), closing(folded(config, other, sources.journal(), run.partitions, missing.source)) as folding:
        for both in folding:
            seen.note(both.rows)
            tally.add(both)
            check(tally.currencies)
            yield
    tally.flush()
    check(tally.currencies)
    seen.refuse_absent(missing.names, missing.origin)


def _answer(run: Run, policy: Policy, truth: Truth, missing: Missing, seen: Seen, tally: Tally) -> Answer:
    config = run.config
    plan = compile_plan(config.features)
    return Answer(
        run_id=run.platform_run_id,
        before=names_of("the run's own", config, plan, compile_rules(config.policy, plan).policy.digest),
        after=names_of(policy.name, config_under(config, policy), policy.feature_plan, policy.rule_plan.policy.digest),
        payments=tally.payments,
        changed=tally.changed,
        rescored=tally.rescored,
        truth=truth.source,
        cells=tally.cells(),
        reasons=tally.reasons(),
        refused=tally.refused,
        columns=dict.fromkeys(missing.names, missing.origin),
        unnamed=seen.unnamed,
        first=(),
        exponents={},
        digests={side: digest.hexdigest() for side, digest in tally.digests.items()},
    )
