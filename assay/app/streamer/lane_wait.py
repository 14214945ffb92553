"""Whether lanes hold this one back, and when that is said: a lane that was never started, was stopped, or hangs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from assay.app.streamer.checkpoint import Keeper
from assay.app.streamer.lanes import REFRESH_US

#: for how long a lane may stand still while a due row waits for it, before that is said
SILENT_US: Final = 5_000_000

#: positions of a lane in the outputs of context
Positions = tuple[int, ...]


class LaneNews(NamedTuple):
    """`lane` stands still and is waited for; or, where `waited` is False, it goes on or is not waited for any more."""

    lane: int
    waited: bool


class LaneWait:
    """When to speak of which lane: once when it has stood still for `SILENT_US`, and once when that is over."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Positions, int]] = {}
        self._told: set[int] = set()

    def look(self, standing: Mapping[int, Positions], now_us: int) -> list[LaneNews]:
        """What is new. `standing`: the lanes that a due row waits for now, each with its positions; `now_us` of any steady clock."""
        news = []
        for lane in sorted({*self._seen, *standing}):
            positions, known = standing.get(lane), self._seen.get(lane)
            if positions is not None and known is not None and known[0] == positions:
                if lane not in self._told and now_us - known[1] >= SILENT_US:
                    self._told.add(lane)
                    news.append(LaneNews(lane, waited=True))
                continue
            if lane in self._told:
                self._told.remove(lane)
                news.append(LaneNews(lane, waited=False))
            if positions is None:
                del self._seen[lane]
            else:
                self._seen[lane] = positions, now_us
        return news


class ContextOfLane(NamedTuple):
    """An output of context in a lane: its checkpoint, the rows of the output, and the time of the first one in microseconds."""

    keeper: Keeper
    total: int
    first_us: int


class LanesAwaited:
    """Told of rows that wait for context; reads the checkpoints of the other lanes, and tells `tell` of what `LaneWait` finds.

    `others`: lane → its outputs of context. `steady_us` is the clock. Checkpoints are read at most every `REFRESH_US`.
    """

    def __init__(
        self, others: Mapping[int, Sequence[ContextOfLane]], steady_us: Callable[[], int], tell: Callable[[LaneNews], object]
    ) -> None:
        self._others, self._steady_us, self._tell = others, steady_us, tell
        self._wait, self._rows = LaneWait(), dict[str, int]()
        self._read_us: int | None = None

    def __call__(self, output: str, row_us: int | None) -> None:
        """The next row of an output is due and waits for context: its event time. None: no row of it waits."""
        if row_us is not None:
            self._rows[output] = row_us
        else:
            self._rows.pop(output, None)
        now_us = self._steady_us()
        if self._rows and self._read_us is not None and now_us - self._read_us < REFRESH_US:
            return
        standing = {}
        if self._rows:
            self._read_us = now_us
            standing = self._behind(max(self._rows.values()))
        for news in self._wait.look(standing, now_us):
            self._tell(news)

    def _behind(self, row_us: int) -> dict[int, Positions]:
        """Lanes with context of this time or before that they have not sent."""
        found = {}
        for lane, outputs in self._others.items():
            cursors = [(one, one.keeper.load(one.total)) for one in outputs]
            times = [one.first_us if at.next_us is None else at.next_us for one, at in cursors if at.position < one.total]
            if min(times, default=row_us + 1) <= row_us:
                found[lane] = tuple(at.position for _, at in cursors)
        return found
