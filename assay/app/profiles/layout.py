"""The topic layout of a policy: partitions and retention by what a topic is for, and what that makes of each topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assay.contracts import handles, instants
from assay.contracts.errors import AssayError
from assay.contracts.topics import Topic, topics_of

_MS_US: Final = 1_000

#: what topics are for → their handles. Journals, changelogs and names of features are kept for ever under every policy
PURPOSES: Final[Mapping[str, tuple[str, ...]]] = {
    "traffic": (
        handles.TRAFFIC,
        handles.TRAFFIC_BASELINE,
        handles.CONTEXT,
        handles.ARRIVALS,
        handles.FLOWS_BASELINE,
        handles.FLOWS_FRAUD,
        handles.RTDL,
        handles.ANSWERS,
    ),
    "control": (handles.CONTROL, handles.POSTURE, handles.QUARANTINE, handles.GATE_PREFLIGHT),
    "case": (),  # no topic of cases yet
    "labels": (handles.LABELS,),
    "audit": (handles.AUDIT,),
}


def _duration(text: str) -> str:
    try:
        positive = instants.duration_us(text) >= _MS_US
    except AssayError as refused:
        raise ValueError(refused.what) from None
    if not positive:
        raise ValueError("a retention is at least 1ms")
    return text


Retention = Annotated[str, AfterValidator(_duration)]


class Scaling(BaseModel):
    """Topics with a number of partitions of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    partitions: int = Field(ge=1, le=1000)
    retention: Retention


class Single(BaseModel):
    """Topics whose order needs one partition."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    partitions: Literal[1] = 1
    retention: Retention


class Kept(BaseModel):
    """Topics with the partitions of traffic."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    retention: Retention


class TopicPolicy(BaseModel):
    """Partitions and retention (`1d`, `6h`) of topics, by what they are for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    traffic: Scaling
    control: Single
    case: Single
    labels: Single
    audit: Kept

    def retention_ms(self) -> dict[str, int]:
        """Retention of each topic that the policy names, by handle."""
        kept: dict[str, Scaling | Single | Kept] = {
            "traffic": self.traffic, "control": self.control, "case": self.case, "labels": self.labels, "audit": self.audit,
        }  # fmt: skip
        return {handle: instants.duration_us(kept[purpose].retention) // _MS_US for purpose, named in PURPOSES.items() for handle in named}


def layout_of(partitions: int | None, policy: TopicPolicy | None, traffic: str = "") -> dict[str, tuple[int, int]]:
    """(partitions, retention in ms; -1 for ever) of every topic of a run, by handle.

    It is that of the topic files, under a policy or a number of partitions. `traffic` is that of the generated world which the run
    streams, empty for none.
    """
    retention = policy.retention_ms() if policy else {}

    def shape(found: Topic) -> tuple[int, int]:
        return found.partition_count(policy.traffic.partitions if policy else partitions), retention.get(found.handle, found.retention_ms)

    return {handle: shape(found) for handle, found in topics_of(traffic).items()}
