"""Evidence of a live run: there is no world to check, only a policy to decide under. Its time begins at the second of its id."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.run.directory import RunConfig
from assay.app.runner.evidence import Seen
from assay.app.runner.facts import pins_of
from assay.app.runner.request import RunRequest
from assay.contracts.errors import Stop
from assay.contracts.instants import parse
from assay.contracts.reasons import Reason


class LiveWorld:
    """The port `Evidence` of a run that decides what is posted: no output, no gate, and the pins of its configuration."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """None. Raises Stop(RUN_SCOPE_MISMATCH) for a request that names outputs, a bank or other pins."""
        if request.output_ids or request.engine_run_root or pins_of(request, self._config) != self._config.pins:
            what = "a live run has the pins of its directory and no outputs; the request asks for others"
            remedy = "Ask for the run of the directory, or in another directory for that of a world."
            raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where="request", remedy=remedy)
        return {}

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """What there is at once."""
        begun_us = begin_us(self._config.platform_run_id)
        return Seen(facts={"output_roles": {}, "rows": {}}, min_ts_us=begun_us, max_ts_us=begun_us)


def begin_us(platform_run_id: str) -> int:
    """UTC microseconds of the second that a platform run is named by. Raises Quarantine(TIME_INVALID) for a name of no second."""
    day, _, time = platform_run_id.removeprefix("platform_").partition("T")
    return parse(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:6]}.000000Z")
