"""One decision explained: which rules fired on which values, and everything it was computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assay.agents.rule_plan import RulePlan, compile_rules
from assay.app.bus.record_view import plain
from assay.app.report.decision_search import Found
from assay.app.report.fitted_table import fitted
from assay.app.report.paid import Paid
from assay.app.run.directory import RunConfig
from assay.contracts import instants
from assay.contracts.visible import one_line
from assay.tables.feature_document import parse_document
from assay.tables.rule_words import AMOUNT, UNKNOWN_RULE, WORDS_OF_NO_RULE, is_amount, mixed_minor, money_of, number, rule_words

FACT_WIDTH = 26


class Fired(NamedTuple):
    """A reason: its points (None for posture), the rule, the values it looked at, and both in words, a line for each comparison."""

    code: str
    points: int | None
    text: str
    values: Mapping[str, int | float | None]
    words: tuple[str, ...]


class Explanation(NamedTuple):
    """Reasons and all feature values by name, in document order; `amounts` are of minor units, the `mixed` ones of several
    currencies.

    `same_policy` is False if the rules at hand are others than those it was made by.
    """

    fired: tuple[Fired, ...]
    features: Mapping[str, int | float]
    thresholds: Mapping[str, int]
    same_policy: bool
    amounts: frozenset[str]
    mixed: frozenset[str]


def explain(decision: Mapping[str, Any], config: RunConfig, paid: Paid, policy: Mapping[str, Any] | None = None) -> Explanation:
    """Join a decision with the documents it was made by. `policy`: the rules in force then, if they are not those of the run's config."""
    document, policy = parse_document(config.features), config.policy if policy is None else policy
    rules = compile_rules(policy, document)
    longs = dict(zip(document.long_names, decision["features"]["longs"], strict=True))
    doubles = dict(zip(document.double_names, decision["features"]["doubles"], strict=True))
    features = {feature.name: (longs | doubles)[feature.name] for feature in document.features}
    meant = {feature.name: feature for feature in document.features}
    values, mixes = {**features, AMOUNT: paid.amount_minor}, document.mixes_currencies

    def words(code: str) -> tuple[str, ...]:
        return tuple(rule_words(policy["rules"][rules.codes.index(code)]["when"], meant, values, paid.money, mixed=mixes))

    fired = tuple(_fired(code, rules, values, words) for code in decision["reasons"])
    amounts = frozenset(name for name in features if is_amount(name, meant))
    mixed = frozenset(name for name in amounts if money_of(name, meant, paid.money, mixed=mixes) is mixed_minor)
    same_policy = decision["policy"]["content_digest"] == rules.policy.digest
    return Explanation(fired, features, policy["thresholds"], same_policy, amounts, mixed)


def _fired(code: str, rules: RulePlan, values: Mapping[str, int | float | None], words: Callable[[str], tuple[str, ...]]) -> Fired:
    if code not in rules.codes:
        text = WORDS_OF_NO_RULE.get(code, UNKNOWN_RULE)
        return Fired(code, None, text, {}, (text,))
    at = rules.codes.index(code)
    return Fired(code, int(rules.points[at]), rules.texts[at], {name: values[name] for name in rules.features[at]}, words(code))


def as_values(found: Found, why: Explanation, paid: Paid) -> dict[str, Any]:
    """The same as JSON-ready values; none is rounded."""
    payment = {
        "amount_minor": paid.amount_minor,
        "currency": paid.currency or None,
        "amount": None if paid.amount_minor is None else paid.amount,
        "entities": dict(paid.entities),
        "kind": paid.kind or None,
        "source_id": paid.source_id or None,
    }
    reasons = [{**fired._asdict(), "values": dict(fired.values)} for fired in why.fired]
    return {
        "payment": payment,
        "decision": plain(found.decision),
        "reasons": reasons,
        "features": dict(why.features),
        "outcome": plain(found.outcome),
        "proof": None if found.proof is None else found.proof._asdict(),
    }


def show(found: Found, why: Explanation, paid: Paid, console: Console) -> None:
    """Print a decision: whose payment, answer, reasons in words, values, what it was computed from, action and proof."""
    for line in headline(found.decision, paid):
        console.print(Text(line), soft_wrap=True)
    decision = found.decision
    levels = " · ".join(f"{name} from {score}" for name, score in why.thresholds.items())
    console.print(
        Text.assemble((str(decision["outcome"]), "bold"), f", score {decision['score']}", (f"   ({levels})", "dim")), soft_wrap=True
    )
    if not why.same_policy:
        console.print("the run's store does not have the rules this decision was made by; rule texts may differ", style="bold red")
    console.print()
    if not why.fired:
        console.print("no rule fired", style="dim")
    for fired in why.fired:
        points = "" if fired.points is None else f"{fired.points:+d} points"
        console.print(Text.assemble((one_line(fired.code), "bold"), f"  {points}".rstrip()))
        for line in fired.words:
            console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    console.print()
    console.print(_features(why, paid, console.width))
    console.print()
    for name, value in facts(found).items():  # no table: it would break digests, and broken ones cannot be copied or searched
        console.print(Text.assemble((f"{name:<{FACT_WIDTH}}", "dim"), value), soft_wrap=True)


def headline(decision: Mapping[str, Any], paid: Paid) -> Iterator[str]:
    """Lines that say whose payment it is, how much, when, and what it is called."""
    source = decision["source_event"]
    width = max(map(len, paid.entities), default=0)
    yield from (f"{name:<{width}}  {one_line(id_)}" for name, id_ in paid.entities.items())
    yield f"{paid.amount} · {instants.text(source['ts_utc'])}"
    kind = paid.kind or source["event_type"]
    yield f"{one_line(kind)} {one_line(source['event_id'])}" + (f" · {one_line(paid.source_id)} in the file" if paid.source_id else "")


def _features(why: Explanation, paid: Paid, width: int) -> Table:
    used = {name for fired in why.fired for name in fired.values}

    def text(name: str, value: float) -> str:
        if name in why.mixed:
            return mixed_minor(value)
        return paid.money(value) if name in why.amounts and paid.currency else number(value)

    texts = {name: text(name, value) for name, value in why.features.items()}
    rows = [(f"{name} *" if name in used else name, text) for name, text in texts.items()]
    return fitted(("feature (* in a rule that fired)", "value"), rows, width)


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
        "action": _action(found.outcome),
        "decided at": instants.text(decision["decided_at_utc"]),
        "record": f"{source['topic']}[{source['partition']}]@{source['offset']}",
        "journal": f"shard {basis['shard']}, epoch {basis['epoch']}, sequence {basis['sequence']}, row {decision['row']}",
        "basis": offsets or "none",
        "bundle": f"{decision['bundle_ref']['bundle_id']} {decision['bundle_ref']['bundle_version']}",
        **_proof(found),
        "features": _revision(decision["feature_set"]),
        "policy": _revision(decision["policy"]),
        "snapshot hash": decision["snapshot_hash"].hex(),
        "run config": decision["run_config_digest"].hex(),
        **{f"pin {name}": value.hex() if isinstance(value, bytes) else str(value) for name, value in decision["pins"].items()},
        "decision id": decision["decision_id"].hex(),
        "action id": f"{intent['action_id'].hex()} ({intent['action_kind']})",
        "idempotency key": intent["idempotency_key"].hex(),
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
        "vouched for by": proof.held_by or "not proven: no later segment and no head names this digest",
        "audit id": proof.audit_id,
        "segment sha256": proof.sha256,
    }


def _revision(revision: Mapping[str, Any]) -> str:
    return f"{revision['policy_id']} r{revision['revision']}, sha256 {revision['content_digest'].hex()}"
