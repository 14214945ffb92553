"""One decision explained: which rules fired on which values, and everything it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assay.agents.rule_plan import RulePlan, compile_rules
from assay.app.report.decision_search import Found
from assay.app.report.fitted_table import fitted
from assay.app.run.directory import RunConfig
from assay.contracts import instants
from assay.contracts.outcomes import POSTURE_CLAMPED, POSTURE_MISSING
from assay.tables.feature_document import parse_document

FACT_WIDTH = 26
_POSTURE_TEXT = {
    POSTURE_MISSING: "no posture record was in force, so the fail-safe mode was",
    POSTURE_CLAMPED: "the action posture turned ALLOW into STEP_UP",
}


class Fired(NamedTuple):
    """A reason: its points (None for posture), the rule in words, and the values it looked at."""

    code: str
    points: int | None
    text: str
    values: Mapping[str, int | float | None]


class Explanation(NamedTuple):
    """Reasons and all feature values by name, in document order. `same_policy` is False if the run's config is another one."""

    fired: tuple[Fired, ...]
    features: Mapping[str, int | float]
    thresholds: Mapping[str, int]
    same_policy: bool


def explain(decision: Mapping[str, Any], config: RunConfig, amount_minor: int | None) -> Explanation:
    """Join a decision with the documents it was made by."""
    document = parse_document(config.features)
    rules = compile_rules(config.policy, document)
    longs = dict(zip(document.long_names, decision["features"]["longs"], strict=True))
    doubles = dict(zip(document.double_names, decision["features"]["doubles"], strict=True))
    features = {feature.name: (longs | doubles)[feature.name] for feature in document.features}
    values = {**features, "amount_minor": amount_minor}
    fired = tuple(_fired(code, rules, values) for code in decision["reasons"])
    return Explanation(fired, features, config.policy["thresholds"], decision["policy"]["content_digest"] == rules.policy.digest)


def _fired(code: str, rules: RulePlan, values: Mapping[str, int | float | None]) -> Fired:
    if code not in rules.codes:
        return Fired(code, None, _POSTURE_TEXT.get(code, "not a rule of this run's policy"), {})
    at = rules.codes.index(code)
    return Fired(code, int(rules.points[at]), rules.texts[at], {name: values[name] for name in rules.features[at]})


def show(found: Found, why: Explanation, amount_minor: int | None, console: Console) -> None:
    """Print a decision: answer, reasons, values, what it was computed from, action and proof."""
    decision = found.decision
    source = decision["source_event"]
    levels = " · ".join(f"{name} from {score}" for name, score in why.thresholds.items())
    amount = "amount no longer at hand" if amount_minor is None else f"{amount_minor:,} minor units"
    console.print(Text.assemble((str(decision["outcome"]), "bold"), f"  score {decision['score']}", (f"   ({levels})", "dim")))
    console.print(Text(f"{source['event_type']} {source['event_id']}"), soft_wrap=True)
    console.print(Text(f"{amount} · {instants.text(source['ts_utc'])}"), soft_wrap=True)
    if not why.same_policy:
        console.print("the run's policy is not the one this decision was made by; rule texts may differ", style="bold red")
    console.print()
    console.print(_reasons(why) if why.fired else Text("no rule fired", style="dim"))
    console.print()
    console.print(_features(why, console.width))
    console.print()
    for name, value in facts(found).items():  # no table: it would break digests, and broken ones cannot be copied or searched
        console.print(Text.assemble((f"{name:<{FACT_WIDTH}}", "dim"), value), soft_wrap=True)


def _reasons(why: Explanation) -> Table:
    table = Table("reason", "points", "rule", "values", box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.columns[1].justify = "right"
    for fired in why.fired:
        values = ", ".join(f"{name} = {_number(value)}" for name, value in fired.values.items())
        table.add_row(fired.code, "" if fired.points is None else f"{fired.points:+d}", fired.text, values)
    return table


def _features(why: Explanation, width: int) -> Table:
    used = {name for fired in why.fired for name in fired.values}
    rows = [(f"{name} *" if name in used else name, _number(value)) for name, value in why.features.items()]
    return fitted(("feature (* a rule looked at it)", "value"), rows, width)


def facts(found: Found) -> dict[str, str]:
    """Everything else about a decision, as text by name."""
    decision = found.decision
    source, posture, basis, intent = (decision[name] for name in ("source_event", "posture", "basis", "intent"))
    offsets = f"\n{'':{FACT_WIDTH}}".join(f"{o['topic']}[{o['partition']}] < {o['next_offset']}" for o in basis["offsets"])
    in_force = (
        posture["mode"],
        f"sequence {posture['posture_seq']}",
        f"policy {posture['policy_rev'] or 'none'}",
        posture["trust"].lower(),
    )
    return {
        "posture": ", ".join(in_force),
        "record": f"{source['topic']}[{source['partition']}]@{source['offset']}",
        "journal": f"shard {basis['shard']}, epoch {basis['epoch']}, sequence {basis['sequence']}, row {decision['row']}",
        "basis": offsets or "none",
        "decided at": instants.text(decision["decided_at_utc"]),
        "features": _revision(decision["feature_set"]),
        "snapshot hash": decision["snapshot_hash"].hex(),
        "policy": _revision(decision["policy"]),
        "bundle": f"{decision['bundle_ref']['bundle_id']} {decision['bundle_ref']['bundle_version']}",
        "run config": decision["run_config_digest"].hex(),
        **{f"pin {name}": value.hex() if isinstance(value, bytes) else str(value) for name, value in decision["pins"].items()},
        "decision id": decision["decision_id"].hex(),
        "action id": f"{intent['action_id'].hex()} ({intent['action_kind']})",
        "idempotency key": intent["idempotency_key"].hex(),
        "action": _action(found.outcome),
        **_proof(found),
    }


def _action(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return "not proven: no outcome was found"
    reason = f", {outcome['reason']}" if outcome["reason"] else ""
    return f"{outcome['status']} after {outcome['attempts']} attempt(s){reason}, at {instants.text(outcome['completed_at_utc'])}"


def _proof(found: Found) -> dict[str, str]:
    proof = found.proof
    if proof is None:
        return {"proof": "not proven: found on the bus, not in an audit segment"}
    return {
        "proof": f"{proof.segment}, record {proof.position}",
        "audit id": proof.audit_id,
        "segment sha256": proof.sha256,
        "vouched for by": proof.held_by or "not proven: no later segment and no head names this digest",
    }


def _revision(revision: Mapping[str, Any]) -> str:
    return f"{revision['policy_id']} r{revision['revision']}, sha256 {revision['content_digest'].hex()}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,}" if isinstance(value, int) else f"{value!r}"
