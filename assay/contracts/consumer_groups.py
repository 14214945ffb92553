"""Names of the Kafka consumer groups: one group per lane and shard of a run, so that each lane can run in any worker."""

from __future__ import annotations


def group_of(namespace: str, platform_run_id: str, lane: str, shard: int) -> str:
    """The consumer group of one shard of a lane, for example `platform_20260101T000000Z.rtdl.0`."""
    return f"{groups_of(namespace, platform_run_id)}{lane}.{shard}"


def groups_of(namespace: str, platform_run_id: str) -> str:
    """How the names of all groups of a run begin, and of no other run's."""
    return f"{namespace}{platform_run_id}."
