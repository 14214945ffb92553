"""What a plan and a facts view say, and what the hash covers that READY is keyed by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import request_for
from small_runs import config_of
from small_worlds import NOW_US, small_world

from assay.app.run.directory import RunConfig
from assay.app.runner.evidence import GateSeen, Located, Seen
from assay.app.runner.facts import bundle_hash, facts_view
from assay.app.runner.plan import Plan, RunnerPolicy, compile_plan, plan_of
from assay.app.runner.receipts import receipt_of
from assay.app.runner.request import AUTO, FORCE_INVOKE, FORCE_REUSE, RunRequest

OUTPUTS = {"b": ("gate.2", "gate.1"), "a": ("gate.1",)}


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return config_of(small_world(tmp_path).manifest)


def planned(config: RunConfig, policy: RunnerPolicy | None = None, **changes: Any) -> tuple[RunRequest, Plan]:
    request = request_for(config, **changes)
    return request, compile_plan(request, config, policy or RunnerPolicy(), OUTPUTS)


def seen(**changes: Any) -> Seen:
    outputs = {name: Located(name, f"data/{name}/", 3, ((f"data/{name}/part", 3, digit * 64),)) for name, digit in (("a", "1"), ("b", "2"))}
    gates = {name: GateSeen(name, "PASS", "3" * 64) for name in ("gate.1", "gate.2")}
    values: dict[str, Any] = {"outputs": outputs, "gates": gates, "facts": {}, "min_ts_us": 5, "max_ts_us": 9}
    return Seen(**{**values, **changes})


@pytest.mark.parametrize("asked", [AUTO, FORCE_REUSE, FORCE_INVOKE])
@pytest.mark.parametrize("reuse", [True, False])
def test_a_policy_without_reuse_has_every_world_made(config: RunConfig, asked: str, reuse: bool) -> None:
    _, plan = planned(config, RunnerPolicy(reuse=reuse), requested_strategy=asked)
    assert plan.strategy == (asked if reuse else FORCE_INVOKE)


def test_a_plan_names_outputs_and_gates_in_order_and_is_read_as_it_was_written(config: RunConfig) -> None:
    _, plan = planned(config, RunnerPolicy(attempt_limit=3))
    assert (plan.outputs, plan.gates) == (("a", "b"), ("gate.1", "gate.2"))
    document = plan.document(NOW_US, 60)
    assert (document["created_at_utc"], document["evidence_deadline_utc"]) == ("2030-01-01T00:00:00.000000Z", "2030-01-01T00:01:00.000000Z")
    assert plan_of(document) == plan
    assert plan.document(NOW_US + 1, 90)["plan_hash"] == document["plan_hash"], "times stand beside the hash"


def other_locator(given: Seen) -> Seen:
    return replace(given, outputs={**given.outputs, "b": given.outputs["b"]._replace(files=(("data/b/part", 3, "9" * 64),))})


def other_gate(given: Seen) -> Seen:
    return replace(given, gates={**given.gates, "gate.2": given.gates["gate.2"]._replace(digest="9" * 64)})


def test_the_bundle_covers_locators_gates_and_policy_and_nothing_else(config: RunConfig) -> None:
    request, plan = planned(config)
    own = bundle_hash(request, plan, seen())
    another = config.model_copy(update={"policy": {"policy_id": "another"}})
    assert len({own, *(bundle_hash(request, plan, change(seen())) for change in (other_locator, other_gate))}) == 3
    assert bundle_hash(*planned(another), seen()) != own
    for same in (seen(min_ts_us=1), seen(facts={"rows": {"traffic": 3}})):
        assert bundle_hash(request, plan, same) == own


def test_a_facts_view_tells_the_span_of_the_rows(config: RunConfig) -> None:
    facts = facts_view(*_args(config))
    assert (facts["min_ts_utc"], facts["max_ts_utc"]) == ("1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:00.000009Z")
    assert facts["run_config_digest"] == config.digest.hex()


def _args(config: RunConfig) -> tuple[RunRequest, RunConfig, Plan, Seen]:
    request, plan = planned(config)
    return request, config, plan, seen()


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ("data/a/", []),
        ("data/a/manifest_fingerprint=x/", []),
        ("data/a/seed=7/manifest_fingerprint=x/", ["manifest_fingerprint", "seed"]),
        (
            "data/a/seed=7/parameter_hash=y/manifest_fingerprint=x/scenario_id=s/",
            ["manifest_fingerprint", "parameter_hash", "seed", "scenario_id"],
        ),
    ],
)
def test_only_an_output_of_one_instance_has_a_receipt(config: RunConfig, path: str, tokens: list[str]) -> None:
    request, _ = planned(config)
    receipt = receipt_of(request, Located("a", path, 1, ((f"{path}part", 1, "1" * 64),)))
    assert (list(receipt["scope"]) if receipt else []) == tokens
    if receipt is not None:
        assert [part.partition("=")[0] for part in receipt["receipt_ref"].split("/")[3:-1]] == tokens
