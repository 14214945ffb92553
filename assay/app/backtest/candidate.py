"""What a backtest compares: a run's config and that config with another policy. Where columns come from that only the other one reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from assay.app.backtest import topic_columns, world_columns
from assay.app.backtest.answer import PolicyNames
from assay.app.backtest.folding import LANE, lane_columns
from assay.app.backtest.refusals import not_journaled
from assay.app.backtest.sources import Sources
from assay.app.backtest.translation import MissingColumns
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.policy.documents import Policy
from assay.app.policy.fit import refuse_misfit
from assay.app.run.directory import Run, RunConfig
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import FeaturePlan, compile_plan


class Missing(NamedTuple):
    """Columns that the journal does not hold, and where they come from."""

    names: tuple[str, ...]
    source: MissingColumns | None
    origin: str

    def close(self) -> None:
        """End what reads ahead."""
        if self.source is not None:
            self.source.close()


def config_under(config: RunConfig, policy: Policy) -> RunConfig:
    """The config of a run, had it been begun with this policy."""
    return config.model_copy(update={"features": policy.features, "policy": policy.rules})


def refuse_unfit(run: Run, policy: Policy, world: SealedWorld | None) -> None:
    """Refuse what the beginning of a run would refuse, and other documents under the names and revisions of the run's own.

    Raises Stop(RUN_SCOPE_MISMATCH, POLICY_ENTITY_ABSENT, CURRENCY_NOT_OF_POLICY).
    """
    _refuse_known_revision(run.config, policy)
    if policy.features == run.config.features:
        return  # the run was begun with them
    own = compile_plan(run.config.features)
    entities = policy.feature_plan.entities if world is None else world.manifest.entities
    listed = own.currencies if world is None else world.manifest.currencies
    refuse_misfit(policy, list(entities), list(listed))


def _refuse_known_revision(config: RunConfig, policy: Policy) -> None:
    """Decisions name their documents by id and revision: two documents of one name could not be told apart."""
    for part, name, known, now in (
        ("features", "feature_set", config.features, policy.features),
        ("rules", "policy_id", config.policy, policy.rules),
    ):
        if known != now and (known[name], known["revision"]) == (now[name], now["revision"]):
            raise Stop(
                Reason.RUN_SCOPE_MISMATCH,
                f"the {part} of policy '{policy.name}' are not those of the run under the same revision: {now[name]} r{now['revision']}",
                where=f"revision in {part}.yaml",
                remedy="Raise the revision of the changed document.",
            )


def missing_of(run: Run, other: RunConfig, world: SealedWorld | None, sources: Sources) -> Missing:
    """Where the columns come from that the other config reads and the journal does not hold: the topic, else the world.

    Raises Stop(COLUMN_NOT_JOURNALED) when neither has them.
    """
    held = lane_columns(run.config)
    names = tuple(name for name in lane_columns(other) if name not in held)
    if not names:
        return Missing((), None, "")
    refusal, gone = not_journaled(names, run.platform_run_id, held), _gone(names, sources)
    if not gone:
        return Missing(names, topic_columns.TopicColumns(LANE, names, run.config.pins, sources, refusal), topic_columns.ORIGIN)
    if world is None:
        raise refusal(f"{gone}, and the run has no sealed world")
    return Missing(names, world_columns.WorldColumns(world, names, refusal), world_columns.ORIGIN)


def _gone(names: Sequence[str], sources: Sources) -> str:
    """The first partition of the topics with these columns whose head is gone, as text."""
    for handle in topic_columns.supplying(LANE, names):
        for partition, first in sources.begins(handle).items():
            if first > 0:
                return f"{handle}[{partition}] begins at offset {first}"
    return ""


def names_of(name: str, config: RunConfig, plan: FeaturePlan, rules_digest: bytes) -> PolicyNames:
    """The documents of one side by name and digest."""
    return PolicyNames(
        name,
        f"{config.features['feature_set']} r{config.features['revision']}",
        plan.digest.hex(),
        f"{config.policy['policy_id']} r{config.policy['revision']}",
        rules_digest.hex(),
    )
