"""One policy revision: the rules that a run decides by, and the check of a record that brings the next ones.

A record holds the whole rules document, so a journal recomputes without any other file. Only rules and thresholds change: the document is
compiled against the features that the run began with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from assay.agents.decision_policy import DecisionPolicy
from assay.agents.plans import Plans
from assay.agents.rule_plan import FeatureNames, RulePlan, compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.agents.scorer import Scorer
from assay.contracts.canonical import document_bytes
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason


class Revision(NamedTuple):
    """A policy revision, compiled. `policy_seq` is 0 for the policy that the run began with, whose `document` is empty.

    `document` is the rules document as canonical JSON. The thresholds of `policy` are in the unit of `scorer`.
    """

    policy_seq: int
    document: str
    policy: DecisionPolicy
    scorer: Scorer


class Chain(NamedTuple):
    """The revision in force, and the digests of all revisions up to it: the one with `policy_seq` n is number n."""

    in_force: Revision
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, plans: Plans) -> Chain:
        """The chain of a run that no record has changed."""
        return cls(Revision(0, "", plans.policy, plans.scorer), (plans.policy.digest,))

    def after(self, record: Mapping[str, Any], features: FeatureNames) -> Chain:
        """The chain after a `policy_revision`, given as the lane's JSON has it (digests as hex). One that was folded before changes
        nothing.

        Raises Quarantine(POLICY_REVISION_REFUSED, RULES_DOCUMENT_INVALID), and then the revision in force stays.
        """
        seq, digest = record["policy_seq"], bytes.fromhex(record["content_digest"])
        if 0 < seq < len(self.digests) and self.digests[seq] == digest:
            return self
        now = self.in_force
        if seq != now.policy_seq + 1 or bytes.fromhex(record["follows"]) != now.policy.digest:
            in_force = f"in force is number {now.policy_seq}, digest {now.policy.digest.hex()[:12]}"
            raise refused(f"it is number {seq} and follows {record['follows'][:12]}, {in_force}"[:400])
        found = compiled(record["document"], features).policy
        told = {"policy_id": found.policy_id, "revision": found.revision, "content_digest": found.digest.hex()}
        for name, value in told.items():
            if record[name] != value:
                raise refused(f"{name} is {str(record[name])[:64]!r}, that of its document is {value[:64]!r}")
        if (found.policy_id, found.revision) == (now.policy.policy_id, now.policy.revision):
            raise refused(f"{found.policy_id} revision {found.revision} is in force already; raise its revision")
        return self.with_document(seq, record["document"], features)

    def with_document(self, policy_seq: int, document: str, features: FeatureNames) -> Chain:
        """The chain with this revision in force, which was checked before."""
        plan = compiled(document, features)
        digests = self.digests if policy_seq < len(self.digests) else (*self.digests, plan.policy.digest)
        return Chain(Revision(policy_seq, document, plan.policy, RuleScorer(plan)), digests)


def compiled(document: str, features: FeatureNames) -> RulePlan:
    """The rules of a document in canonical JSON. Raises Quarantine(POLICY_REVISION_REFUSED, RULES_DOCUMENT_INVALID)."""
    try:
        found = json.loads(document)
        if document_bytes(found) != document.encode():
            raise refused("its document is not canonical JSON")
        return compile_rules(found, features)
    except Stop as error:
        raise Quarantine(error.reason, error.what, where=error.where, remedy=error.remedy) from None
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise refused(f"its document cannot be read: {type(error).__name__}") from None


def refused(what: str) -> Quarantine:
    """The refusal of a policy revision."""
    remedy = "The rules in force stay. Activate the policy again with `assay policy activate`."
    return Quarantine(Reason.POLICY_REVISION_REFUSED, f"the policy revision is refused: {what}", where="policy revision", remedy=remedy)
