"""What a lane has folded as named parts, one for how far and one per step, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from assay.agents.applied_position import AppliedPosition
from assay.agents.batch import WiredStep
from assay.agents.step import LaneId, TopicPartition
from assay.codecs.table_state import TableState, state_refused
from assay.contracts.errors import Quarantine

#: the part that no step has
LANE = "lane"


def parts_of(lane: str, folded: AppliedPosition, steps: Sequence[WiredStep]) -> dict[str, TableState]:
    """The parts: views to be read before the next fold. Equal journals give equal parts."""
    return {LANE: TableState({"lane": lane, **folded.as_json()}), **{name: wired.step.state() for name, wired in _named(steps).items()}}


def restored(
    lane: LaneId, parts: Mapping[str, TableState], make_steps: Callable[[], Sequence[WiredStep]], tps: Sequence[TopicPartition]
) -> tuple[AppliedPosition, list[WiredStep]]:
    """New steps that hold these parts of this lane, and how far they have folded these inputs.

    Raises Stop(STATE_UNREADABLE, STATE_OF_ANOTHER_PLAN) when a part is missing, is of another lane, or does not fit its step.
    """
    steps = list(make_steps())
    named = _named(steps)
    if parts.keys() != {LANE, *named}:
        raise state_refused(f"has the parts {', '.join(sorted(parts))}, this lane has {', '.join(sorted((LANE, *named)))}")
    try:
        of = LaneId(parts[LANE].header["lane"], parts[LANE].header["shard"])
        if of != lane:
            raise state_refused(f"is of lane {of}, this is lane {lane}")
        for name, wired in named.items():
            wired.step.restore(parts[name])
        return AppliedPosition.from_json(parts[LANE].header, tps), steps
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, Quarantine) as error:
        raise state_refused(f"does not fit this lane: {type(error).__name__}: {error}") from error


def _named(steps: Sequence[WiredStep]) -> dict[str, WiredStep]:
    return {f"{number}-{step.name}": step for number, step in enumerate(steps)}
