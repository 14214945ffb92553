"""A large body and a long answer are worked on beside the loop, which serves other callers meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from gate_process import KEY, run_in

from assay.app.gate.aside import BYTES_HERE_MAX, RESULTS_HERE_MAX
from assay.app.gate.calls import Answer
from assay.app.gate.process import Gate, build

SMALL, LARGE = b" " * BYTES_HERE_MAX, b" " * (BYTES_HERE_MAX + 1)
HERE, ASIDE = "MainThread", "gate-bodies_0"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = build(run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))
    yield made
    for log in made.reach.logs:
        log.close()


@pytest.mark.parametrize(
    ("body", "coding", "thread"),
    [
        (b"", "", HERE),
        (SMALL, "", HERE),
        (LARGE, "", ASIDE),
        pytest.param(gzip.compress(LARGE), "gzip", ASIDE, id="a body whose length is not known before it is unpacked"),
    ],
)
def test_a_large_body_is_read_aside(gate: Gate, body: bytes, coding: str, thread: str) -> None:
    request = make_mocked_request("POST", "/", headers={"X-IG-Api-Key": KEY, "Content-Encoding": coding})
    request._read_bytes = body  # it has arrived
    found = asyncio.run(gate.server._read(request, lambda read: (len(read), threading.current_thread().name)))
    assert found == (len(LARGE) if coding else len(body), thread)


@pytest.mark.parametrize(("results", "thread"), [(RESULTS_HERE_MAX, HERE), (RESULTS_HERE_MAX + 1, ASIDE)])
def test_a_long_answer_is_written_aside(gate: Gate, results: int, thread: str) -> None:
    request = make_mocked_request("POST", "/v1/payments", headers={"Host": "gate:1"})
    names: set[str] = set()

    class Told(dict[str, Any]):
        """An outcome that notes who writes it down."""

        def get(self, key: str, default: Any = None) -> Any:
            names.add(threading.current_thread().name)
            return super().get(key, default)

    outcomes: list[dict[str, Any]] = [Told(event_id="e", admission="ADMIT", event_class="label") for _ in range(results)]
    answer = asyncio.run(gate.server._many(Answer(Counter(ADMIT=results), outcomes), request))
    assert names == {thread}
    assert isinstance(answer.body, bytes)
    assert len(json.loads(answer.body)["results"]) == results
