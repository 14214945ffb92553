"""A stream waits until the lanes of the packs that it needs run, and is put off when they do not."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from answering_server import answering

from assay.app.streamer.downstream import await_lanes, lanes_of, running_lanes
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason

RTDL = "rtdl_core"


def test_a_pack_names_its_lanes_and_no_other_is_known() -> None:
    assert lanes_of(()) == ()
    assert "rtdl/0" in lanes_of((RTDL,))
    with pytest.raises(AssayError) as refused:
        lanes_of((RTDL, "none"))
    assert refused.value.reason is Reason.PACK_UNKNOWN


def test_nothing_is_waited_for_where_nothing_is_asked_for() -> None:
    def asked() -> Sequence[str]:
        raise AssertionError

    await_lanes((), asked, "", 0.0)


def test_lanes_are_waited_for_until_they_run() -> None:
    found: list[OSError | list[str]] = [OSError("away"), ["audit/0"], ["rtdl/0", "audit/0"]]
    answers = iter(found)

    def running() -> Sequence[str]:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    await_lanes(("rtdl/0",), running, "http://worker", 60.0, poll_s=0.0)
    assert next(answers, None) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (json.dumps({"lanes": ["audit/0"], "standby": ["rtdl/0"]}).encode(), Reason.LANE_NOT_ACTIVE),
        (b"no json", Reason.WORKER_UNAVAILABLE),
        (b"[]", Reason.WORKER_UNAVAILABLE),
        (None, Reason.WORKER_UNAVAILABLE),
    ],
)
def test_a_worker_that_does_not_run_them_puts_the_stream_off(body: bytes | None, reason: Reason) -> None:
    with answering(lambda: body or b"") as url:
        at = url if body else ""  # a run whose worker nobody knows
        with pytest.raises(AssayError) as refused:
            await_lanes(("rtdl/0",), lambda: running_lanes(at), at, 0.0)
    assert (refused.value.reason, refused.value.exit_code) == (reason, 75)


def test_a_worker_that_runs_them_is_believed() -> None:
    with answering(lambda: json.dumps({"lanes": ["rtdl/0"]}).encode()) as url:
        await_lanes(("rtdl/0",), lambda: running_lanes(url), url, 0.0)
