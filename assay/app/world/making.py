"""Interprets the graph of segments: states in order, parts at once, checks, bundle, flag."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from assay.app.progress import unseen
from assay.app.stores.objects import ObjectStore
from assay.app.world.bundles import passed, published_parts, status_of, write_bundle
from assay.app.world.publication import Publication
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.identity import WorldIdentity
from assay.engine.output import Output
from assay.engine.parameters import Parameters
from assay.engine.segment import Check, Scene, Segment, State, Verdict


@dataclass(frozen=True)
class StateTime:
    """What a state took: wall seconds, and the rows that it made.

    steps: seconds of its sub-steps. `prepare` is wall time before the parts; `make` and `write` are summed over the workers.
    """

    segment_id: str
    state: str
    seconds: float
    rows: int
    steps: Mapping[str, float]


class _PartDone(NamedTuple):
    rows: int
    make_s: float
    write_s: float


class WorldMaker:
    """Makes a world in a store. `told` is called with (segment and state, parts done, parts) of the whole world after each part.

    `drop` is called with the key of each part that no later state or check reads: for measurements that keep nothing.
    """

    def __init__(
        self,
        store: ObjectStore,
        identity: WorldIdentity,
        parameters: Parameters,
        segments: Sequence[Segment],
        *,
        workers: int = 1,
        told: Callable[[str, int, int], object] = unseen,
        drop: Callable[[str], object] | None = None,
    ) -> None:
        self._store, self._identity, self._parameters, self._segments = store, identity, parameters, segments
        self._workers, self._told = workers, told
        self._drop, self._last = drop, last_readers(segments)
        self.published = Publication(store, identity, outputs_by_id(segments))
        self._done, self._parts = 0, sum(state.parts(parameters) for segment in segments for state in segment.states)

    def make(self) -> list[StateTime]:
        """Make every segment whose gate has not passed yet. Raises Stop as states, checks and gates do; then there is no flag."""
        times: list[StateTime] = []
        for segment in self._segments:
            receipts = [passed(self._store, one, self._identity) for one in self._segments if one.segment_id in segment.upstream]
            if status_of(self._store, segment, self._identity).status != "missing":
                passed(self._store, segment, self._identity)
                for part in published_parts(self._store, segment, self._identity):
                    self.published.add(part)
                self._done += sum(state.parts(self._parameters) for state in segment.states)
                continue
            times += [self._run(segment, state) for state in segment.states]
            verdicts = [(check, self._looked(segment, check)) for check in segment.checks]
            self._done_with(segment.segment_id, "")
            _refuse_failed(segment, verdicts)
            write_bundle(self._store, segment, self._identity, receipts, self.published, verdicts)
            self.published.forget()
        return times

    def _run(self, segment: Segment, state: State) -> StateTime:
        began_s = time.perf_counter()
        scene = self._scene(segment, state.name, state.inputs)
        if state.prepare is not None:
            scene = replace(scene, prepared=state.prepare(scene))
        prepared_s = time.perf_counter() - began_s
        parts = state.parts(self._parameters)
        with ThreadPoolExecutor(max_workers=self._workers) as pool:
            jobs = [pool.submit(self._part, scene, state, part) for part in range(parts)]
            done: list[_PartDone] = []
            try:
                for job in jobs:
                    done.append(job.result())
                    self._done += 1
                    self._told(f"{segment.segment_id} {state.name}", self._done, self._parts)
            except BaseException:
                for job in jobs:
                    job.cancel()
                wait(jobs, return_when=FIRST_EXCEPTION)
                raise
        self._done_with(segment.segment_id, state.name)
        steps = {"prepare": prepared_s, "make": sum(part.make_s for part in done), "write": sum(part.write_s for part in done)}
        return StateTime(segment.segment_id, state.name, time.perf_counter() - began_s, sum(part.rows for part in done), steps)

    def _part(self, scene: Scene, state: State, part: int) -> _PartDone:
        began_s = time.perf_counter()
        made = dict(state.make(scene, part))
        made_s = time.perf_counter()
        declared = {output.output_id: output for output in state.outputs}
        if made.keys() != declared.keys():
            what = f"state {state.name} gives {', '.join(sorted(made))}, declared are {', '.join(sorted(declared))}"
            raise Stop(Reason.ENGINE_OUTPUT_INVALID, what, where=scene.segment.segment_id, remedy="Correct the state's outputs.")
        # each is let go of once it is written: the largest state makes three at once
        rows = sum(self.published.publish(declared[name], part, made.pop(name)).rows for name in list(made))
        return _PartDone(rows, made_s - began_s, time.perf_counter() - made_s)

    def _done_with(self, segment_id: str, place: str) -> None:
        """Drop what is read here for the last time."""
        for output_id in [output_id for output_id, last in self._last.items() if last == (segment_id, place)]:
            for part in self.published.parts(output_id) if self._drop is not None else ():
                self._drop(part.path)  # type: ignore[misc]  # it does not change

    def _looked(self, segment: Segment, check: Check) -> Verdict:
        return check.look(self._scene(segment, check.name, check.inputs))

    def _scene(self, segment: Segment, place: str, inputs: tuple[str, ...]) -> Scene:
        return Scene(self._identity, self._parameters, segment, place, inputs, self.published.read)


def outputs_by_id(segments: Iterable[Segment]) -> Mapping[str, Output]:
    """All outputs by their ids."""
    return {output.output_id: output for segment in segments for output in segment.outputs}


def last_readers(segments: Iterable[Segment]) -> Mapping[str, tuple[str, str]]:
    """Output → segment and state that read it last, or made it where nobody does; of a check, the segment and no name."""
    last: dict[str, tuple[str, str]] = {}
    for segment in segments:
        for state in segment.states:
            last |= dict.fromkeys((*state.inputs, *(output.output_id for output in state.outputs)), (segment.segment_id, state.name))
        last |= {output_id: (segment.segment_id, "") for check in segment.checks for output_id in check.inputs}
    return last


def _refuse_failed(segment: Segment, verdicts: Sequence[tuple[Check, Verdict]]) -> None:
    for check, verdict in verdicts:
        if check.required and not verdict.passed:
            said: dict[str, Any] = {"measured": dict(verdict.measured), "bounds": dict(verdict.bounds)}
            what = f"check '{check.name}' of segment {segment.segment_id} failed: {said}"
            remedy = "The segment leaves no flag. Correct the parameters, and make the world in another folder."
            raise Stop(Reason.ENGINE_CHECK_FAILED, what, where=segment.segment_id, remedy=remedy)
