"""Power fails at any moment: what was answered is still there. Processes are killed at any flush, and read what was not flushed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lossy_machines import Machine, Process, Step
from oracles.examples import examples

from assay.agents.step import Effects
from assay.app.bench.lane import bench_config
from assay.app.effects.recorder import Recorder, recorded
from assay.app.gate.segments import SegmentLog
from assay.app.run.directory import Run
from assay.app.runner.documents import PLAN, read_kept, read_status, write_once, write_status
from assay.app.runner.record import Record as RunRecord
from assay.app.stores.objects import DirectoryStore, ObjectExists
from assay.app.stores.segment_journal import SegmentJournal
from assay.codecs.columns import Strings

CONFIG = bench_config()
RUN = "2b88459257839f87c28f07cd3522edd7"
PLAN_DOCUMENT = next(one.value for one in examples("sr_run_plan") if one.reason is None)


class Objects:
    """Objects that are created, replaced and swapped. An object that was being written may be the old or the new one."""

    def __init__(self) -> None:
        self.may_be: dict[str, set[bytes | None]] = defaultdict(lambda: {None})

    def begin(self, room: Path) -> None:
        self.store = DirectoryStore(room / "store")
        for key in self.may_be:
            assert self._read(self.store, key) in self.may_be[key]

    def act(self, asked: int) -> None:
        key, value = ("one/a", "one/two/b")[asked % 2], f"value {asked} of {len(self.may_be)}".encode()
        before = self._read(self.store, key)
        if asked % 3 == 0 and before is not None:
            with pytest.raises(ObjectExists):
                self.store.create(key, value)
            self.may_be[key] = {before}
            return
        self.may_be[key].add(value)
        if asked % 3 == 0:
            self.store.create(key, value)
        elif asked % 3 == 1:
            self.store.replace(key, value)
        else:
            self.store.swap(key, value, before)
        self.may_be[key] = {value}

    def check(self, room: Path) -> None:
        store = DirectoryStore(room / "store")
        assert [key for key in self.may_be if self._read(store, key) not in self.may_be[key]] == []

    @staticmethod
    def _read(store: DirectoryStore, key: str) -> bytes | None:
        try:
            return store.read(key)
        except FileNotFoundError:
            return None


class Receipts:
    """Lines of the gate; the open file is sealed now and then."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: list[str] = []

    @staticmethod
    def _log(room: Path) -> SegmentLog:
        return SegmentLog(DirectoryStore(room / "store"), "ig/receipts", room / "spool" / "open.ndjson", 30)

    def begin(self, room: Path) -> None:
        self.log = self._log(room)

    def act(self, asked: int) -> None:
        if asked % 5 < 4:
            lines = [f"receipt {len(self.asked) + number}" for number in range(1 + asked % 5)]
            self.asked += lines
            self.log.append(lines)
            self.answered += lines
        if asked % 5 in {1, 4}:
            self.log.seal()

    def check(self, room: Path) -> None:
        self._log(room).close()
        store = DirectoryStore(room / "store")
        found = [line for key in store.keys("ig/receipts") for line in store.read(key).decode().splitlines()]
        assert set(self.answered) <= set(found) <= set(self.asked)


class Actions:
    """Actions of the recorder. After an end it is asked again for those it did not answer."""

    def __init__(self) -> None:
        self.count = 0
        self.asked: set[int] = set()
        self.answered: set[int] = set()

    def begin(self, room: Path) -> None:
        self.recorder = Recorder(room / "actions" / "log")

    def act(self, asked: int) -> None:
        unknown = sorted(self.asked - self.answered)
        numbers = unknown or list(range(len(self.asked) + 1, len(self.asked) + 2 + asked % 3))
        self.asked |= set(numbers)
        keys = np.zeros((len(numbers), 32), np.uint8)
        keys[:, 31] = numbers
        events = Strings.of([f"event {number}" for number in numbers])
        self.recorder.record(Effects(keys, Strings.repeat(b"ALLOW", len(numbers)), events, ask_first=bool(unknown)))
        self.answered |= set(numbers)

    def check(self, room: Path) -> None:
        found = [int(line.split()[0], 16) for line in recorded(room / "actions" / "log")]
        assert self.answered <= set(found) <= self.asked
        assert len(found) == len(set(found)), "an action was done twice"


class Chain:
    """Segments of the audit. A process that begins reads all of them, as the audit lane does."""

    def __init__(self) -> None:
        self.answered: list[bytes] = []

    def begin(self, room: Path) -> None:
        self.store = DirectoryStore(room / "store")
        self.journal: SegmentJournal | None = None

    def act(self, asked: int) -> None:
        asyncio.run(self._append(asked))

    async def _append(self, asked: int) -> None:
        if self.journal is None:
            journal = SegmentJournal(self.store)
            self.answered = [value async for _, value in journal.read_all()]  # its state is answered from now on
            self.journal = journal
        value = f"segment {len(self.answered)}, {asked}".encode()
        await (await self.journal.append(value, 0))
        self.answered.append(value)

    def check(self, room: Path) -> None:
        async def whole() -> list[bytes]:
            return [value async for _, value in SegmentJournal(DirectoryStore(room / "store")).read_all()]

        with ThreadPoolExecutor(1) as another:  # the process that is checked runs an event loop
            found = another.submit(asyncio.run, whole()).result()
        assert found[: len(self.answered)] == self.answered
        assert len(found) <= len(self.answered) + 1


class Wiring:
    """`run.json` of a run in a new directory, written again at every start."""

    def __init__(self) -> None:
        self.may_be: set[str | None] = {None}

    def begin(self, room: Path) -> None:
        self.directory = room / "runs" / "one"

    def act(self, asked: int) -> None:
        self.may_be.add(str(asked))
        Run(directory=self.directory, config=CONFIG, bootstrap="", dsn=str(asked)).save()
        self.may_be = {str(asked)}

    def check(self, room: Path) -> None:
        directory = room / "runs" / "one"
        assert (Run.load(directory).dsn if (directory / "run.json").exists() else None) in self.may_be


class Record:
    """The ledger of a run. A process that begins says again what the one before it may have said."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.opened = False

    def begin(self, room: Path) -> None:
        self.store = DirectoryStore(room / "store")
        self.record = RunRecord(self.store, RUN)

    def act(self, asked: int) -> None:
        write_once(self.store, PLAN, RUN, PLAN_DOCUMENT)
        self.record.read_on()
        self.answered.append(self.record.append("RUN_ACCEPTED", {}, 0))
        write_status(self.store, RUN, self.record.standing)
        self.opened = True
        self.answered.append(self.record.append("EVENT", {"number": str(asked % 3)}, 0))

    def check(self, room: Path) -> None:
        store = DirectoryStore(room / "store")
        assert set(self.answered) <= {event["event_id"] for event in RunRecord(store, RUN).read_on().events}
        if self.opened:
            status = read_status(store, RUN)
            assert status is not None
            assert status["state"] == "OPEN"
            assert read_kept(store, PLAN, RUN) == PLAN_DOCUMENT


PROCESSES = (Objects, Receipts, Actions, Chain, Wiring, Record)
#: numbers that ask for different writes; to the others they are only a text
KINDS: dict[type[Process], int] = {Objects: 3, Receipts: 3, Actions: 3}
STEPS = st.lists(st.builds(Step, st.integers(0, 29), st.none() | st.integers(0, 9), st.booleans()), min_size=1, max_size=6)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("before", [pytest.param(0, id="in a new place", marks=pytest.mark.long), pytest.param(1, id="where something is")])
def test_what_the_next_process_answers_after_a_kill_at_any_flush_is_there_after_power_failed(
    process: type[Process], before: int, tmp_path: Path
) -> None:
    """The next process finds what the killed one had not flushed, and relies on it."""
    for asked in range(KINDS.get(process, 1)):
        for flush in count():
            folder = tmp_path / f"{asked} {flush}"
            folder.mkdir()
            steps = [*[Step(asked)] * before, Step(asked, ends_at=flush), Step(asked), Step(asked)]
            machine = Machine(process(), folder, seed=flush)
            machine.live(steps)
            if not machine.ends:  # there are no more flushes
                break
        assert flush > 0


@pytest.mark.parametrize("process", PROCESSES)
@given(steps=STEPS, seed=st.integers(0, 2**32))
@settings(max_examples=8)
def test_whatever_was_answered_is_there_after_power_failed_at_any_moment(
    process: type[Process], steps: list[Step], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Machine(process(), tmp_path_factory.mktemp("machine"), seed).live(steps)
