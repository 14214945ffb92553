"""The process behind `assay stream`: from READY to the row of its ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import typer

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.users import BusUser
from assay.app.cli.ready_run import ready_of
from assay.app.cli.send_options import now_us
from assay.app.governance import Governance
from assay.app.labels.delivery import FOLDER, undelivered_text
from assay.app.run.directory import Run
from assay.app.screen import Screen, counted
from assay.app.settings import Settings
from assay.app.stores.places import store_of
from assay.app.streamer.downstream import await_lanes, running_lanes
from assay.app.streamer.facts import facts_of
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.handling import Handling, Sent
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.outputs import OutputsStreamer, OutputStream, Plan
from assay.app.streamer.ready_ledger import ReadyLedger, ReadyState, message_id_of
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.sending import Sending, Terms, send
from assay.app.telemetry import Telemetry
from assay.contracts.exit_codes import INTERRUPTED

#: seconds that the store has at the end for facts about the run
TOLD_WITHIN_S = 5.0


class StreamProcess:
    """One process that streams a run, in its lane. `lanes`: those of a worker that must run before."""

    def __init__(self, run: Run, settings: Settings, plan: Plan, terms: Terms, telemetry: Telemetry, lanes: Sequence[str]) -> None:
        self._run, self._settings, self._plan, self._terms, self._lanes = run, settings, plan, terms, lanes
        governance = Governance(run.store, run.config, WORLD_STREAMER.name, settings.profile, now_us)
        self._handling = Handling(ReadyLedger(run.store, plan.lane, now_us), governance, telemetry)
        self._bounded = False

    def stream(self, ready_timeout_s: float) -> None:
        """Wait for READY and do with it what is to be done. Raises Exit(130) when it was interrupted, and as `Handling.handle`."""
        worker_url, handling = self._run.worker_url, self._handling
        try:
            ready = ready_of(self._run, WORLD_STREAMER, BusUser.STREAMER, ready_timeout_s, handling.pass_over)
            state = handling.handle(
                ready,
                lambda: await_lanes(self._lanes, lambda: running_lanes(worker_url), worker_url, ready_timeout_s),
                lambda: self._sent(ready),
            )
        finally:
            _told(handling.close(TOLD_WITHIN_S))
        if state is ReadyState.SKIPPED_DUPLICATE:
            say_beside(f"READY {message_id_of(ready)} was streamed before; nothing is sent")
        elif state is None and not self._bounded:
            raise typer.Exit(INTERRUPTED)

    def _sent(self, ready: dict[str, Any]) -> Sent:
        """Send what READY names, and say which labels are still to come."""
        facts = facts_of(self._run.store, ready, self._run.config.pins)
        with closing(Keepers(self._run, facts.pack_id, self._settings)) as keepers:
            streams = outputs_of(self._run.config, facts, self._run.store, store_of, self._plan.lane)
            keepers.begin(self._plan.lane.lanes)
            streamed = asyncio.run(send(self._run, _sending(streams, keepers, self._plan), self._terms, Screen()))
        self._bounded = streamed.bounded
        if streamed.complete:
            with closing(Keepers(self._run, facts.pack_id, self._settings, FOLDER)) as delivered:
                say_beside(undelivered_text(self._run, delivered))
        return Sent(streamed, {stream.name: stream.sequence.total for stream in streams})


def _sending(streams: list[OutputStream], keepers: Keepers, plan: Plan) -> Sending:
    def sender(gate: Gate, stop: asyncio.Event, show: Callable[[int], None]) -> OutputsStreamer:
        return OutputsStreamer(streams, gate, keepers.of, plan, stop, show)

    total = sum(stream.sequence.total for stream in streams)
    position = sum(keepers.of(stream.name, plan.lane).load(stream.sequence.total).position for stream in streams)
    return Sending("streamed", total, position, sender)


def _told(unwritten: int) -> None:
    if unwritten:
        say_beside(f"{counted(unwritten, 'fact')} for governance/events.jsonl could not be written; the same command writes them")


def say_beside(text: str) -> None:
    """A line beside the progress; nothing for an empty text."""
    if text:
        Screen().print(text, highlight=False, soft_wrap=True)
