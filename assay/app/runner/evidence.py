"""Evidence of a world as values, and the one verdict over it: a function of what was seen, the plan and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from assay.app.runner.plan import Plan
from assay.app.runner.request import RunRequest
from assay.contracts.canonical import hex64
from assay.contracts.gates import Status
from assay.contracts.reasons import Reason


class Located(NamedTuple):
    """An output that is there: the place of its files, their rows, and (path, rows, sha256 hex) of each file in order."""

    output_id: str
    path: str
    rows: int
    files: tuple[tuple[str, int, str], ...]

    def locator(self, fingerprint: str) -> dict[str, Any]:
        """The locator of the facts view; its digest covers the digests of all files."""
        files = [{"path": path, "rows": rows, "sha256": sha256} for path, rows, sha256 in self.files]
        return {
            "output_id": self.output_id,
            "path": self.path,
            "manifest_fingerprint": fingerprint,
            "content_digest": {"algo": "sha256", "hex": hex64(files)},
            "rows": self.rows,
            "files": files,
        }


class GateSeen(NamedTuple):
    """What a gate's own files say. `digest`: computed from them, sha256 hex. `why`: the fault, for people."""

    gate_id: str
    status: Status
    digest: str = ""
    why: str = ""

    def receipt(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """The receipt of the facts view."""
        return {"gate_id": self.gate_id, "status": self.status, "scope": dict(scope), "digest": {"algo": "sha256", "hex": self.digest}}


@dataclass(frozen=True)
class Seen:
    """One look at a world. An output that is not in `outputs` was not found. `facts`: what the facts view says of the world."""

    outputs: Mapping[str, Located] = field(default_factory=dict)
    gates: Mapping[str, GateSeen] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: UTC microseconds of the first and the last row of traffic
    min_ts_us: int = 0
    max_ts_us: int = 0


class Evidence(Protocol):
    """A place where worlds are, with its own way to say what is complete."""

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """The outputs that a request intends, each with its gates and all upstream of them. Raises Stop where no plan can be made."""

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """See what is there now; `keep` is called now and then, for who holds something meanwhile.

        Raises Stop for a world that this run can never take, Retry for a store that does not answer.
        """


class Kind(StrEnum):
    """The four verdicts over evidence."""

    COMPLETE = "COMPLETE"
    WAITING = "WAITING"
    FAIL = "FAIL"
    CONFLICT = "CONFLICT"


class Verdict(NamedTuple):
    """A verdict with its reason. `missing`: outputs and gates that are not there, sorted. `why`: faults for people."""

    kind: Kind
    reason: Reason | None = None
    missing: tuple[str, ...] = ()
    why: str = ""


def classify(plan: Plan, seen: Seen, now_us: int, deadline_us: int) -> Verdict:
    """COMPLETE, or the gravest of: contradiction, a gate that failed, something missing before or after the deadline."""
    gates = {gate_id: seen.gates.get(gate_id, GateSeen(gate_id, "missing")) for gate_id in plan.gates}
    for status, kind, reason in (("conflict", Kind.CONFLICT, Reason.EVIDENCE_CONFLICT), ("FAIL", Kind.FAIL, Reason.GATE_FAIL)):
        wrong = [gate for gate in gates.values() if gate.status == status]
        if wrong:
            return Verdict(kind, reason, (), "; ".join(f"{gate.gate_id}: {gate.why}" for gate in wrong))
    missing = sorted(
        [gate_id for gate_id, gate in gates.items() if gate.status == "missing"]
        + [output_id for output_id in plan.outputs if output_id not in seen.outputs]
    )
    if not missing:
        return Verdict(Kind.COMPLETE)
    told = f"not there: {', '.join(missing)}"
    if now_us < deadline_us:
        return Verdict(Kind.WAITING, Reason.EVIDENCE_WAITING, tuple(missing), told)
    return Verdict(Kind.FAIL, Reason.EVIDENCE_MISSING_DEADLINE, tuple(missing), told)
