"""Too many connections close those of strangers first, and the gate goes on answering whoever has the key."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from gate_process import KEY, GateProcess, run_in
from hypothesis import given
from hypothesis import strategies as st

from assay.app.gate.connections import Connections, connections_for
from assay.app.gate.log_rate import LogRate, out_of_files
from assay.testing import until

MOST = 4


class Line:
    """A transport that knows whether it was hung up."""

    def __init__(self) -> None:
        self.open = True

    def abort(self) -> None:
        self.open = False


class Board:
    """Connections by name, and which are open."""

    def __init__(self) -> None:
        self.connections, self.lines = Connections(MOST), dict[str, Line]()

    def call(self, *names: str) -> None:
        for name in names:
            self.lines[name] = Line()
            self.connections.made(name, self.lines[name])

    @property
    def closed(self) -> list[str]:
        """Those hung up."""
        return [name for name, line in self.lines.items() if not line.open]


def test_the_oldest_stranger_goes_first_and_never_a_caller_while_there_are_strangers() -> None:
    board = Board()
    board.call("caller", "old", "young")
    board.connections.known("caller")
    board.connections.rests("caller")
    board.call("a", "b", "c")
    assert board.closed == ["old", "young"]


def test_without_strangers_the_caller_that_rests_longest_goes_and_none_that_works() -> None:
    board = Board()
    board.call("a", "b", "c", "d")
    for name in "abcd":
        board.connections.known(name)
    for name in "cb":
        board.connections.rests(name)
    board.call("new")
    assert board.closed == ["c"]


def test_the_new_one_goes_when_everybody_works() -> None:
    board = Board()
    board.call("a", "b", "c", "d")
    for name in "abcd":
        board.connections.known(name)
    board.call("new")
    assert board.closed == ["new"]


STEPS = st.lists(st.tuples(st.sampled_from(["made", "known", "rests", "lost"]), st.integers(0, 9)), max_size=60)


@given(STEPS)
def test_there_are_never_more_than_allowed_and_who_works_is_never_closed(steps: list[tuple[str, int]]) -> None:
    board, working = Board(), set[str]()
    names: dict[int, str] = {}
    for at, (step, number) in enumerate(steps):
        if step == "made":
            names[number] = f"{number}-{at}"
            board.call(names[number])
        elif number in names:
            name = names[number]
            {"known": board.connections.known, "rests": board.connections.rests, "lost": board.connections.lost}[step](name)
            if step == "known" and name not in board.closed and board.lines[name].open and name in board.connections:
                working.add(name)
            elif step != "known":
                working.discard(name)
        assert len(board.connections) <= MOST
        assert working.isdisjoint(board.closed)


@pytest.mark.parametrize(
    ("files", "wanted", "most"), [(65_536, 4_096, 4_096), (1_024, 4_096, 768), (256, 4_096, 128), (1_024, 100, 100), (1, 5, 1)]
)
def test_a_limit_of_open_files_leaves_room_for_the_gates_own(files: int, wanted: int, most: int) -> None:
    assert connections_for(files, wanted) == most


def test_a_logger_writes_so_many_lines_and_then_says_how_many_it_left_out() -> None:
    now_s, said = [0.0], list[str]()
    limit = LogRate(lambda: now_s[0], lines_max=2, window_s=10.0)

    def log(text: str) -> None:
        record = logging.LogRecord("l", logging.WARNING, "f", 1, "%s", (text,), None)
        if limit.filter(record):
            said.append(record.getMessage())

    for number in range(1_000):
        log(f"{number}")
    now_s[0] = 10.0
    log("later")
    log("last")
    assert said == ["0", "1", "later (998 lines before this one were left out)", "last"]


@pytest.mark.parametrize(("error", "line"), [(errno.EMFILE, "ulimit -n"), (errno.ECONNRESET, "Connection reset")])
def test_an_accept_without_a_descriptor_is_one_line_with_its_remedy(error: int, line: str, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    out_of_files(loop, {"message": "accept", "exception": OSError(error, "Connection reset" if error == errno.ECONNRESET else "none")})
    loop.close()
    [record] = caplog.records
    assert line in caplog.text
    assert (record.exc_info is None) is (error == errno.EMFILE)


SMALL = 300


def small_gate(directory: Path, limit: tuple[int, int]) -> GateProcess:
    """A gate without servers, under a limit of open files (soft, hard), its log in a file."""
    run = run_in(directory, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    return GateProcess(run, files_max=limit)


def healthy(gate: GateProcess) -> bool:
    """Whether it answers; without servers it is RED, which is an answer."""
    return gate.get("/healthz")[0] == 503


@pytest.mark.long
def test_idle_connections_beyond_the_limit_do_not_make_the_gate_deaf(tmp_path: Path) -> None:
    gate = small_gate(tmp_path, (SMALL, SMALL))
    host, port = gate.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        caller = stack.enter_context(socket.create_connection((host, int(port))))
        for _ in range(2):
            assert status(caller, KEY) == 503
            for _ in range(2 * SMALL):  # more than the gate has descriptors
                stack.enter_context(socket.create_connection((host, int(port))))
        assert status(caller, KEY) == 503, "who has the key keeps its connection"
        until(lambda: healthy(gate), 30)
        open_now = float(re.findall(r"^assay_gate_connections (\S+)", gate.get("/metrics")[1], re.MULTILINE)[0])
        assert open_now <= SMALL // 2
        assert 'assay_gate_connections_closed_total{kind="stranger"}' in gate.get("/metrics")[1]
    assert gate.stop() == 0
    assert len(gate.rest().splitlines()) < 60, "lines of a flood are counted, not written"


def test_a_gate_asks_for_the_files_that_the_system_grants(tmp_path: Path) -> None:
    gate = small_gate(tmp_path, (SMALL, 2_000))
    limits = resource.prlimit(gate.pid, resource.RLIMIT_NOFILE)
    assert gate.stop() == 0
    assert limits == (2_000, 2_000)


def status(caller: socket.socket, key: str) -> int:
    """The status of a call on an open connection."""
    caller.sendall(f"POST /v1/payments HTTP/1.1\r\nHost: gate\r\nX-IG-Api-Key: {key}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += caller.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(re.findall(rb"Content-Length: (\d+)", head)[0])
    while len(body) < length:
        body += caller.recv(65_536)
    assert json.loads(body)["error"]
    return int(head.split()[1])
