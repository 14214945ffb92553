"""The plan of a run: which outputs it needs, which gates must have passed for them, and for how long evidence is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.app.run.directory import RunConfig
from assay.app.runner.request import FORCE_INVOKE, RunRequest
from assay.contracts import instants
from assay.contracts.canonical import hex64


@dataclass(frozen=True)
class RunnerPolicy:
    """The runner's own knobs. `reuse`: whether worlds that are there already may be taken."""

    evidence_wait_s: int = 600
    attempt_limit: int = 1
    reuse: bool = True


@dataclass(frozen=True)
class Plan:
    """What a run needs. `outputs` and `gates` are sorted; `policy_rev` is the policy that the run decides by, with its digest."""

    run_id: str
    policy_rev: dict[str, str]
    strategy: str
    outputs: tuple[str, ...]
    gates: tuple[str, ...]
    attempt_limit: int

    @property
    def plan_hash(self) -> str:
        """hex64 of the plan: the same request, policy and interface give the same one, whenever it is compiled."""
        return hex64({**self._content, "policy_rev": self.policy_rev})

    @property
    def _content(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "strategy": self.strategy,
            "intended_outputs": list(self.outputs),
            "required_gates": list(self.gates),
            "attempt_limit": self.attempt_limit,
        }

    def document(self, created_us: int, wait_s: int) -> dict[str, Any]:
        """The plan as it is written, with its times beside the hash."""
        return {
            **self._content,
            "policy_rev": self.policy_rev,
            "plan_hash": self.plan_hash,
            "created_at_utc": instants.text(created_us),
            "evidence_deadline_utc": instants.text(created_us + wait_s * 1_000_000),
        }


def policy_rev(config: RunConfig) -> dict[str, str]:
    """The policy of a run; its digest is that of the whole configuration."""
    named = {"policy_id": str(config.policy.get("policy_id", "none")), "revision": str(config.policy.get("revision", "0"))}
    return {**named, "content_digest": config.digest.hex()}


def compile_plan(request: RunRequest, config: RunConfig, policy: RunnerPolicy, outputs: dict[str, tuple[str, ...]]) -> Plan:
    """The plan of a request. `outputs`: each intended output with all gates that must have passed before it is read."""
    return Plan(
        run_id=request.run_id,
        policy_rev=policy_rev(config),
        strategy=request.strategy if policy.reuse else FORCE_INVOKE,
        outputs=tuple(sorted(outputs)),
        gates=tuple(sorted({gate for gates in outputs.values() for gate in gates})),
        attempt_limit=policy.attempt_limit,
    )


def plan_of(document: dict[str, Any]) -> Plan:
    """A plan from its document."""
    return Plan(
        run_id=document["run_id"],
        policy_rev=document["policy_rev"],
        strategy=document["strategy"],
        outputs=tuple(document["intended_outputs"]),
        gates=tuple(document["required_gates"]),
        attempt_limit=document["attempt_limit"],
    )
