"""Where a run is said: the control topic that the lanes read, and another control bus where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from assay.app.bus.publisher import Publisher
from assay.app.control_bus.kafka_bus import control_record
from assay.app.control_bus.port import ControlBus, ControlMessage
from assay.contracts.handles import CONTROL


class Voice(NamedTuple):
    """`clock` gives the UTC microseconds of a publication."""

    publisher: Publisher
    control: ControlBus | None
    clock: Callable[[], int]

    def say(self, message: ControlMessage, sure: Callable[[], object] = bool) -> None:
        """Return when every bus has the message; `sure` is called before each. Raises PRODUCE_FAILED and what the control bus refuses."""
        sure()
        self.publisher.publish(CONTROL, [control_record(message, self.clock())])
        if self.control is not None:
            sure()
            self.control.publish(message)


def control_message(payload: Mapping[str, Any], run_id: str, kind: str) -> ControlMessage:
    """READY or a terminal signal as a message. `kind`: READY, TERMINAL, READY_REEMIT or TERMINAL_REEMIT; the id is that of the payload."""
    return ControlMessage(str(payload["event_id"]), run_id, payload, {"kind": kind, "run_id": run_id})
