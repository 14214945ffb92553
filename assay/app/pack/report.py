"""What a check of a pack found: issues with their codes, a verdict per output, and one for the pack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from assay.contracts.reasons import Reason

Severity = Literal["ERROR", "WARN"]


class Issue(NamedTuple):
    """Something that is not as it must be, and where."""

    reason: Reason
    severity: Severity
    detail: str
    where: str

    def as_json(self) -> dict[str, str]:
        """With the code as text."""
        return {"code": self.reason.value, "severity": self.severity, "detail": self.detail, "where": self.where}

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail} (at {self.where})"


class OutputVerdict(NamedTuple):
    """An output that was asked for: files and rows that its gate lists, and what is wrong with it."""

    output_id: str
    files: int
    rows: int
    codes: tuple[Reason, ...]

    @property
    def passes(self) -> bool:
        """Whether all of it is there, as it was published, behind open gates."""
        return not self.codes

    def as_json(self) -> dict[str, Any]:
        """With the verdict as a word."""
        codes = [code.value for code in self.codes]
        return {"output_id": self.output_id, "verdict": "PASS" if self.passes else "FAIL", **self._asdict(), "codes": codes}


@dataclass(frozen=True)
class PackReport:
    """The whole check. `gates`: gate → its status, with the digest of its bundle where it passes. `whole`: no output was left out."""

    pack_id: str
    world_key: Mapping[str, Any]
    issues: tuple[Issue, ...]
    gates: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    outputs: tuple[OutputVerdict, ...] = ()
    whole: bool = True

    @property
    def status(self) -> Literal["OK", "WARN", "FAIL"]:
        """FAIL for an error, WARN for a warning."""
        severities = {issue.severity for issue in self.issues}
        return "FAIL" if "ERROR" in severities or not all(one.passes for one in self.outputs) else "WARN" if severities else "OK"

    def as_json(self) -> dict[str, Any]:
        """All facts."""
        closed = [gate_id for gate_id, (status, _) in self.gates.items() if status != "PASS"]
        return {
            "status": self.status,
            "reason_codes": sorted({issue.reason.value for issue in self.issues}),
            "issues": [issue.as_json() for issue in self.issues],
            "errors": _number(self.issues, "ERROR"),
            "warnings": _number(self.issues, "WARN"),
            "outputs": [one.as_json() for one in self.outputs],
            "gates": {gate_id: status for gate_id, (status, _) in self.gates.items()},
            "details": {
                "oracle_pack_id": self.pack_id,
                "world_key": dict(self.world_key),
                "gates_missing": closed,
                "outputs_missing": [one.output_id for one in self.outputs if not one.passes],
            },
        }


def _number(issues: Iterable[Issue], severity: Severity) -> int:
    return sum(issue.severity == severity for issue in issues)
