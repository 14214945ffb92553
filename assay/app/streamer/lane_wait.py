"""Whether lanes hold this one back, and when that is said: a lane that was never started, was stopped, or hangs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from assay.app.streamer.checkpoint import Cursor, Keeper
from assay.app.streamer.lanes import REFRESH_US
from assay.app.streamer.pacing import END_OF_TIME

#: for how long a lane may stand still while a due row waits for it, before that is said
SILENT_US: Final = 5_000_000

#: positions of a lane in its outputs
Positions = tuple[int, ...]


class LaneNews(NamedTuple):
    """`lane` stands still and is waited for; or, where `waited` is False, it goes on or is not waited for any more.

    `marks_only`: rows of this process wait for nothing of it, only its marks do.
    """

    lane: int
    waited: bool
    marks_only: bool = False


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


class OutputOfLane(NamedTuple):
    """An output in a lane: its checkpoint, its rows, and the time of the first one in microseconds. `context`: traffic waits for it."""

    name: str
    keeper: Keeper
    total: int
    first_us: int
    context: bool = True

    def next_us(self, at: Cursor) -> int:
        """The time of the first row that the lane has not sent."""
        if at.position >= self.total:
            return END_OF_TIME
        return self.first_us if at.next_us is None else at.next_us


class LanesAwaited:
    """Told of rows that wait for context, and of marks; reads the checkpoints of the other lanes. `tell` is told of what `LaneWait` finds.

    `others`: lane → its outputs. `steady_us` is the clock. Checkpoints are read at most every `REFRESH_US`.
    """

    def __init__(
        self, others: Mapping[int, Sequence[OutputOfLane]], steady_us: Callable[[], int], tell: Callable[[LaneNews], object]
    ) -> None:
        self._others, self._steady_us, self._tell = others, steady_us, tell
        self._wait, self._rows, self._marks = LaneWait(), dict[str, int](), dict[str, int]()
        self._read_us: int | None = None

    def __call__(self, output: str, row_us: int | None) -> None:
        """The next row of an output is due and waits for context: its event time. None: no row of it waits."""
        self._note(self._rows, output, row_us)

    def marks(self, output: str, next_us: int | None) -> None:
        """An output could be marked with this time, and another lane has not come so far. None: nobody holds its marks back."""
        self._note(self._marks, output, next_us)

    def _note(self, waiting: dict[str, int], output: str, ts_us: int | None) -> None:
        if ts_us is not None:
            waiting[output] = ts_us
        else:
            waiting.pop(output, None)
        now_us, any_waits = self._steady_us(), bool(self._rows or self._marks)
        if any_waits and self._read_us is not None and now_us - self._read_us < REFRESH_US:
            return
        standing, for_rows = dict[int, Positions](), set[int]()
        if any_waits:
            self._read_us = now_us
            standing, for_rows = self._behind(max(self._rows.values(), default=-END_OF_TIME))
        for news in self._wait.look(standing, now_us):
            self._tell(news._replace(marks_only=news.waited and news.lane not in for_rows))

    def _behind(self, row_us: int) -> tuple[dict[int, Positions], set[int]]:
        """Lanes that hold something back with their positions; and those that have not sent context of this time or before."""
        found, for_rows = dict[int, Positions](), set[int]()
        for lane, outputs in self._others.items():
            cursors = [(one, one.keeper.load(one.total)) for one in outputs]
            if any(one.context and one.next_us(at) <= row_us for one, at in cursors):
                for_rows.add(lane)
            if lane in for_rows or any(one.next_us(at) < self._marks.get(one.name, -END_OF_TIME) for one, at in cursors):
                found[lane] = tuple(at.position for _, at in cursors)
        return found, for_rows
