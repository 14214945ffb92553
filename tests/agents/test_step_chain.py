"""A step gets the columns it declares, and a result that is not declared stops the lane instead of being skipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assay.agents.batch import Batch, Context, Result, Step, WiredStep
from assay.agents.step import Effects, Emission, LaneOutput
from assay.agents.step_chain import StepChain
from assay.codecs.columns import Columns, Strings
from assay.codecs.single_object import record_type, unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

CONTEXT = Context(0, 1, 5, 77, [], 0)
ORIGIN: Columns = {
    "topic": np.zeros(2, np.int16),
    "partition": np.zeros(2, np.int32),
    "offset": np.array([10, 11], np.int64),
    "ts_us": np.array([1, 2], np.int64),
    "amount_minor": np.array([5, 6], np.int64),
}


class Does(Step):
    """A step that gives this result."""

    def __init__(self, handle: Callable[[Batch], Result]) -> None:
        self._handle = handle
        self.met: list[Batch] = []

    def handle(self, batch: Batch) -> Result:
        self.met.append(batch)
        return self._handle(batch)


class Answers(Step):
    """A step that gives this result for answers."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def handle(self, batch: Batch) -> Result:
        return Result()

    def answer(self, batch: Batch) -> Result:
        return self._result


OTHER = record_type("mark").header
HEADER = record_type("posture").header
DECLARED = WiredStep("one", Does(lambda batch: Result()), takes=("amount_minor",), writes=("seen.ordinal",), emits={"OUT": (HEADER,)})


def wired(handle: Callable[[Batch], Result], **changes: Any) -> WiredStep:
    return replace(DECLARED, step=Does(handle), **changes)


def chain(*steps: WiredStep) -> StepChain:
    return StepChain("lane", steps, ["IN"], "DEAD")


def fold(*steps: WiredStep) -> LaneOutput:
    return chain(*steps).handle(ORIGIN, 2, CONTEXT, [])


def emission(handle: str, n: int = 1, value: bytes | None = HEADER + b"v") -> Emission:
    return Emission(handle, np.zeros(n, np.int32), Strings.of(["k"] * n), Strings.of([value] * n))


def written(columns: Mapping[str, Any] | None = None, **more: Any) -> Result:
    return Result(columns={"seen.ordinal": np.zeros(2, np.int64)} if columns is None else columns, **more)


EFFECTS = Effects(np.zeros((1, 32), np.uint8), Strings.of(["ALLOW"]), Strings.of(["e"]), ask_first=False)


@pytest.mark.parametrize(
    ("result", "reason", "what"),
    [
        (written(emissions=[emission("ELSEWHERE")]), Reason.EMISSION_UNLISTED, "emits to ELSEWHERE"),
        (written(emissions=[emission("OUT", 2, OTHER + b"v")]), Reason.EMISSION_UNLISTED, "emits a record of another type to OUT"),
        (written(emissions=[emission("OUT", 2, HEADER[:9])]), Reason.EMISSION_UNLISTED, "emits a record of another type to OUT"),
        (written(live=np.ones(3, np.bool_)), Reason.COLUMN_UNDECLARED, "gives 3 live flags for 2 rows"),
        (written(live=np.ones(2, np.int8)), Reason.COLUMN_UNDECLARED, "gives 2 live flags for 2 rows"),
        (written(effects=EFFECTS), Reason.EFFECTS_UNDECLARED, "asks for effects"),
        (written(rows=ORIGIN), Reason.HOLDING_UNDECLARED, "holds or releases rows"),
        (written({}), Reason.COLUMN_UNDECLARED, "does not write column seen.ordinal"),
        (written({"seen.verdict": np.zeros(2, np.int8)}), Reason.COLUMN_UNDECLARED, "writes column seen.verdict"),
        (written({"seen.ordinal": np.zeros(2, np.int32)}), Reason.COLUMN_UNDECLARED, "writes column seen.ordinal"),
        (written({"seen.ordinal": np.zeros(3, np.int64)}), Reason.COLUMN_UNDECLARED, "writes column seen.ordinal"),
        (written({"seen.ordinal": Strings.of(["a", "b"])}), Reason.COLUMN_UNDECLARED, "writes column seen.ordinal"),
        (written(frames={"evicted": {}}), Reason.COLUMN_UNDECLARED, r"writes the frames \['evicted'\], declared are \[\]"),
    ],
)
def test_a_result_that_is_not_declared_stops_the_lane(result: Result, reason: Reason, what: str) -> None:
    with pytest.raises(Stop, match=f"step one {what}") as stopped:
        fold(wired(lambda batch: result))
    assert (stopped.value.reason, stopped.value.where) == (reason, "lane lane")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"amount_minor": np.zeros(2, np.int32)},
        {"amount_minor": np.zeros(2, np.int64), "score": np.zeros(2, np.int64)},
        {"amount_minor": np.zeros((2, 1), np.int64)},
    ],
)
def test_a_step_that_holds_rows_lets_them_go_on_with_the_columns_that_it_was_given_and_no_others(given: Columns) -> None:
    holding = wired(lambda batch: written(rows=given), holds=True)
    with pytest.raises(Stop, match="step one lets rows go on without the columns that it was given") as stopped:
        fold(holding)
    assert stopped.value.reason is Reason.COLUMN_UNDECLARED


def test_a_frame_that_is_declared_and_not_written_stops_the_lane() -> None:
    with pytest.raises(Stop, match=r"step one writes the frames \[\], declared are \['evicted'\]"):
        fold(wired(lambda batch: written(), frames_written=("evicted",)))


def test_bytes_of_another_width_stop_the_lane() -> None:
    wide = wired(lambda batch: written({"decision_id": np.zeros((2, 99), np.uint8)}), writes=("decision_id",))
    with pytest.raises(Stop, match="step one writes column decision_id, not as it is declared"):
        fold(wide)


def test_records_of_the_declared_type_and_tombstones_leave_the_lane() -> None:
    output = fold(wired(lambda batch: written(emissions=[emission("OUT"), emission("OUT", 2, None), emission("OUT", 0)])))
    assert [len(one.partitions) for one in output.emissions] == [1, 2]


@pytest.mark.parametrize(
    "more",
    [{"columns": {"score": np.zeros(1)}}, {"effects": EFFECTS}, {"frames": {"evicted": {}}}, {"rows": ORIGIN},
     {"live": np.ones(1, np.bool_)}, {"refused": [(0, Reason.DECISION_CONFLICT, "why")]}],
)  # fmt: skip
def test_answers_give_emissions_and_nothing_else(more: dict[str, Any]) -> None:
    step = wired(lambda batch: written(), effects=True)
    answering = Answers(Result(emissions=[emission("OUT")], **more))
    with pytest.raises(Stop, match="step one answers effects with more than emissions"):
        chain(replace(step, step=answering)).answer({}, 1, CONTEXT)


def test_a_step_gets_the_columns_it_declares_and_no_others() -> None:
    first, second = wired(lambda batch: written()), wired(lambda batch: Result(), takes=("seen.ordinal",), writes=())
    fold(first, second)
    met = [step.step.met[0] for step in (first, second) if isinstance(step.step, Does)]
    assert [sorted(batch.columns) for batch in met] == [["amount_minor"], ["seen.ordinal"]]


def test_frames_reach_the_steps_that_declare_them() -> None:
    frame: Columns = {"slot": np.arange(3)}
    first = wired(lambda batch: written(frames={"evicted": frame}), frames_written=("evicted",))
    second = wired(lambda batch: Result(), writes=(), frames_read=("evicted",))
    third = wired(lambda batch: Result(), writes=())
    fold(first, second, third)
    met = [step.step.met[0].frames for step in (second, third) if isinstance(step.step, Does)]
    assert [list(frames) for frames in met] == [["evicted"], []]


def test_rows_that_a_step_gave_up_are_dead_for_later_steps_and_refused_ones_are_dead_letters() -> None:
    refused = written(live=np.array([True, False]), refused=[(1, Reason.DECISION_CONFLICT, "why")])
    second = wired(lambda batch: Result(), writes=())
    output = fold(wired(lambda batch: refused), second)
    assert isinstance(second.step, Does)
    assert second.step.met[0].live.tolist() == [True, False]
    (letters,) = output.emissions
    body = unpack(letters.values.row(0) or b"")[1]
    assert (letters.handle, body["topic"], body["offset"], body["reason"]) == ("DEAD", "IN", 11, "DECISION_CONFLICT")
    assert body["recorded_at_utc"] == CONTEXT.wall_us


@pytest.mark.parametrize(("changes", "called"), [({}, 0), ({"punctuated": True}, 1), ({"holds": True}, 1)])
def test_a_record_without_rows_reaches_the_steps_that_act_by_time(changes: dict[str, bool], called: int) -> None:
    step = wired(lambda batch: Result(), writes=(), **changes)
    chain(step).handle({}, 0, CONTEXT, [])
    assert isinstance(step.step, Does)
    assert len(step.step.met) == called


def test_answers_reach_the_step_that_asked_and_no_other() -> None:
    with pytest.raises(Stop, match="this step asked for none") as stopped:
        chain(wired(lambda batch: written(), effects=True)).answer({}, 1, CONTEXT)
    assert stopped.value.reason is Reason.ANSWERS_UNEXPECTED
    assert chain(wired(lambda batch: written())).answer({}, 1, CONTEXT) == LaneOutput([])
