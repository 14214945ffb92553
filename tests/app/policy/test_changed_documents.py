"""A document that was changed under its revision is refused everywhere on a run that was begun with the other one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from backtests import LogSources, changed, policy_of, run_of
from gated_worlds import JOURNAL, config_over, generated_world
from simulated_worlds import Finished, config, small_world
from simulated_worlds import run as run_world

from assay.app.backtest.backtest import backtest, refuse_unfit_policy
from assay.app.backtest.folding import LANE
from assay.app.cli import backtest as backtest_command
from assay.app.cli import up as up_command
from assay.app.demo.new_run import refuse_other_config, refuse_other_policy, world_config
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.policy.documents import Policy, load_policy
from assay.app.replay.compare import Comparison
from assay.app.replay.verify import Recomputed, findings, recompute
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

HANDBOOK = load_policy("handbook")
PARTITIONS = 1


class Changed(NamedTuple):
    """The run's own policy with one document changed, its revision kept."""

    part: str
    policy: Policy


CHANGED = [
    Changed("features", policy_of({**HANDBOOK.features, "forget_after": "99d"}, HANDBOOK.rules)),
    Changed("rules", policy_of(HANDBOOK.features, changed(HANDBOOK.rules, thresholds={"STEP_UP": 34}))),
]
each_change = pytest.mark.parametrize("change", CHANGED, ids=lambda change: change.part)


@pytest.fixture(scope="module")
def finished() -> Finished:
    """A run under the handbook."""
    return run_world(small_world(3, 30), partitions=PARTITIONS)


def written(folder: Path, policy: Policy) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "features.yaml").write_text(json.dumps(policy.features))
    (folder / "rules.yaml").write_text(json.dumps(policy.rules))
    return str(folder)


def begun(folder: Path) -> Path:
    run_of(folder, config(), PARTITIONS).save()
    return folder


def up(folder: Path, policy: Policy) -> None:
    up_command.main(["--run", str(begun(folder / "run")), "--policy", written(folder / "mine", policy)])


def backtest_of(folder: Path, policy: Policy) -> None:
    backtest_command.main(["--run", str(begun(folder / "run")), "--policy", written(folder / "mine", policy)])


def demo(folder: Path, policy: Policy) -> None:
    """Resumed: the world is the same."""
    world = generated_world(folder, "handbook", 50, 1)
    before = config_over(world, "handbook")
    run_of(folder / "run", world_config(before.platform_run_id, world.manifest, HANDBOOK), PARTITIONS).save()
    refuse_other_config(folder / "run", world_config(before.platform_run_id, world.manifest, policy))


@each_change
@pytest.mark.parametrize("command", [up, backtest_of, demo], ids=["up", "backtest", "demo"])
def test_a_command_that_is_given_the_changed_document_refuses_it_before_a_server_is_asked(
    command: Callable[[Path, Policy], None], change: Changed, tmp_path: Path
) -> None:
    with pytest.raises(Stop) as refused:
        command(tmp_path, change.policy)
    assert refused.value.reason is (Reason.RUN_SCOPE_MISMATCH if command is backtest_of else Reason.POLICY_CHANGED_MID_RUN)
    assert ("features" if change.part == "features" else "rules" if command is not demo else "policy") in refused.value.what
    assert {one.name for one in (tmp_path / "run").iterdir()} == {"run.json", "secrets.json"}


@each_change
def test_a_worker_whose_run_was_edited_does_not_fold_the_journal(finished: Finished, change: Changed) -> None:
    edited = config().model_copy(update={"features": change.policy.features, "policy": change.policy.rules})
    machine = fold_machine_of(LANE, edited, partition_counts(PARTITIONS))
    with pytest.raises(Stop) as refused:
        machine.recover(finished.log.values(JOURNAL)[0])
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH


@each_change
def test_a_replay_of_an_edited_run_names_the_change(finished: Finished, change: Changed) -> None:
    edited = config().model_copy(update={"features": change.policy.features, "policy": change.policy.rules})
    found = Recomputed()
    for _ in recompute(edited, finished.log.values(JOURNAL), PARTITIONS, found):
        pass
    assert "a feature, rule, threshold or policy was changed" in findings(Comparison(0, 0, 0, 0, ()), found)[0]


@each_change
def test_a_backtest_of_an_edited_run_is_refused(finished: Finished, change: Changed, tmp_path: Path) -> None:
    """The documents in run.json were changed: the journal says so."""
    edited = config().model_copy(update={"features": change.policy.features, "policy": change.policy.rules})
    with pytest.raises(Stop) as refused:
        backtest(run_of(tmp_path, edited, PARTITIONS), change.policy, LogSources(finished.log, PARTITIONS))
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH


def test_another_order_of_keys_is_no_change(tmp_path: Path) -> None:
    turned = policy_of(dict(reversed(HANDBOOK.features.items())), dict(reversed(HANDBOOK.rules.items())))
    assert (turned.feature_plan.digest, turned.rule_plan.policy.digest) == (HANDBOOK.feature_plan.digest, HANDBOOK.rule_plan.policy.digest)
    refuse_other_policy(begun(tmp_path), turned)
    refuse_unfit_policy(run_of(tmp_path, config(), PARTITIONS), turned)
