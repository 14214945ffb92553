"""Who asks for a run that another process holds waits until that process is done, or its lease has ended because it was killed."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.progress import unseen
from assay.app.runner.answers import RunAnswer
from assay.app.runner.hold import TTL_US
from assay.app.runner.request import RunRequest
from assay.app.runner.runner import Runner


def submitted(runner: Runner, request: RunRequest, waits: Callable[[str], object] = unseen) -> RunAnswer:
    """The answer to a request, asked again while the run is held, for twice the time of a lease. `waits` is told once that it is.

    The time is that of the pauses, so a clock that is put forward or back meanwhile changes nothing. Raises as `Runner.submit`.
    """
    answer, left_us = runner.submit(request), 2 * TTL_US
    if answer.held:
        waits(answer.run_id)
    while answer.held and left_us > 0:
        runner.pause(runner.poll_s)
        left_us -= int(runner.poll_s * 1_000_000)
        answer = runner.submit(request)
    return answer
