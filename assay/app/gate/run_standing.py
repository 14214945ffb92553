"""What the control topic has said of a run, as its gate takes it: whether it is READY, for which outputs, by which policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from assay.agents.policy_revision import Chain, Revision
from assay.agents.rule_plan import compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.app.bus.record_view import plain
from assay.app.run.directory import RunConfig
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan


class RunStanding(NamedTuple):
    """`policy`: policy_id and revision of the rules in force. `outputs`: those of a world whose gates have passed.

    `why_not` says why the run is not READY, where more is known than that. `chain` is None until a record changes the policy.
    """

    policy: Mapping[str, str]
    ready: bool = False
    outputs: frozenset[str] = frozenset()
    why_not: Stop | None = None
    chain: Chain | None = None

    def refusal(self, event_type: str) -> Quarantine | None:
        """Why an event of this type is not admitted: RUN_NOT_READY, or GATE_MISSING for a row whose output READY does not name."""
        if not self.ready:
            known = self.why_not
            what = f"the run is not READY: {known.what}" if known else "the run is not READY"
            remedy = (
                known.remedy if known else "Post again when it is: `assay sr submit` brings it there, `assay sr show` tells how far it is."
            )
            return Quarantine(Reason.RUN_NOT_READY, what, where="$.scenario_run_id", remedy=remedy)
        if event_type in ENGINE_EVENTS and event_type not in self.outputs:
            what = f"READY does not name the output {event_type}, so no gate of it was seen to pass"
            remedy = "Ask for a run that names this output among its output_ids."
            return Quarantine(Reason.GATE_MISSING, what, where="$.event_type", remedy=remedy)
        return None


def standing_of(config: RunConfig) -> RunStanding:
    """The standing of a run of which nothing was said."""
    return RunStanding({"policy_id": str(config.policy.get("policy_id", "none")), "revision": str(config.policy.get("revision", "0"))})


def after_ready(standing: RunStanding, facts: Mapping[str, Any]) -> RunStanding:
    """The standing after READY with this facts view."""
    return standing._replace(ready=True, outputs=frozenset(one["output_id"] for one in facts["locators"]), why_not=None)


def after_revision(standing: RunStanding, config: RunConfig, record: Mapping[str, Any]) -> RunStanding:
    """The standing after a `policy_revision`, which is taken or refused as lanes do.

    Raises Quarantine(POLICY_REVISION_REFUSED, RULES_DOCUMENT_INVALID), and then the standing stays.
    """
    features = compile_plan(config.features)
    chain = (standing.chain or _first(config)).after(plain(dict(record)), features)
    policy = chain.in_force.policy
    return standing._replace(chain=chain, policy={"policy_id": policy.policy_id, "revision": policy.revision})


def _first(config: RunConfig) -> Chain:
    plan = compile_rules(config.policy, compile_plan(config.features))
    return Chain(Revision(0, "", plan.policy, RuleScorer(plan)), (plan.policy.digest,))
