"""The outputs that a READY run streams: those that its facts view names, each from its view, framed for the gate."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.run.directory import RunConfig
from assay.app.stores.objects import ObjectStore
from assay.app.streamer.engine_rows import EngineFramer
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.facts import RunFacts, Source
from assay.app.streamer.lanes import ALONE, Lane
from assay.app.streamer.output_rows import OutputRows
from assay.app.streamer.outputs import OutputStream
from assay.app.streamer.payment_rows import PaymentFramer
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import root_of, view_of
from assay.contracts.engine_events import ENGINE_EVENTS, EngineEvent, engine_events
from assay.contracts.errors import Stop
from assay.contracts.event_classes import CONTEXT, TRAFFIC
from assay.contracts.reasons import Reason


def outputs_of(
    config: RunConfig, facts: RunFacts, store: ObjectStore, store_at: Callable[[str], ObjectStore], lane: Lane = ALONE
) -> list[OutputStream]:
    """The streams of a run. `store`: the run's own; `store_at`: that of the folder or S3 prefix of a bank.

    Raises Stop: DELIVERY_MODE_MISMATCH, TRAFFIC_MODES_MIXED, OUTPUT_NOT_STREAMED, and what its views are refused with.
    """
    if facts.ordering != config.ordering:
        what = f"the facts view delivers traffic by {facts.ordering}, the run by {config.ordering}"
        raise Stop(
            Reason.DELIVERY_MODE_MISMATCH, what, where="traffic_delivery_mode", remedy="Start another run; a run keeps its ordering."
        )
    if not facts.pack_root:
        return [_payments(config, facts, store, source, lane) for source in facts.sources.values()]
    events = [_event(config, output_id) for output_id in facts.sources]
    return _with_idle([_rows(config, facts, store_at(facts.pack_root), event, lane) for event in events], config)


def _payments(config: RunConfig, facts: RunFacts, store: ObjectStore, source: Source, lane: Lane) -> OutputStream:
    """The payments of an imported world. It has no context: nothing of that class is left to come, either."""
    port = ViewPort(store, root_of(facts, source))
    framer = PaymentFramer(Framer(config.pins, config.run_id))
    return OutputStream(source.output_id, OutputRows(port, view_of(port, facts, source), framer, (TRAFFIC, CONTEXT), lane))


def _rows(config: RunConfig, facts: RunFacts, store: ObjectStore, event: EngineEvent, lane: Lane) -> OutputStream:
    source = facts.sources[event.output_id]
    port = ViewPort(store, root_of(facts, source))
    framer = EngineFramer(event, config.pins, facts.engine_run_id, facts.pack_id, facts.release)
    rows = OutputRows(port, view_of(port, facts, source), framer, (event.event_class,), lane)
    return OutputStream(event.output_id, rows, event.event_class.startswith(CONTEXT))


def _event(config: RunConfig, output_id: str) -> EngineEvent:
    """What rows of an output are, if this run streams them."""
    event = ENGINE_EVENTS.get(output_id)
    if event is None:
        what = f"{output_id} is neither traffic nor context of a world"
        remedy = f"Ask for a run with outputs among {', '.join(ENGINE_EVENTS)}. Labels are delivered by `assay labels deliver`."
        raise Stop(Reason.OUTPUT_NOT_STREAMED, what, where="locators", remedy=remedy)
    if event not in engine_events(config.traffic):
        what = f"{output_id} is of the {event.traffic or 'engine'} traffic, the run streams {config.traffic or 'payments'}"
        raise Stop(Reason.TRAFFIC_MODES_MIXED, what, where="locators", remedy="Ask for a run with outputs of one traffic.")
    return event


def _with_idle(streams: list[OutputStream], config: RunConfig) -> list[OutputStream]:
    """Classes of the run that none of its outputs has are marked with the traffic: whoever waits for them goes on."""
    sent = {name for stream in streams for name in stream.sequence.classes}
    idle = tuple(dict.fromkeys(event.event_class for event in engine_events(config.traffic) if event.event_class not in sent))
    last = max(range(len(streams)), key=lambda at: not streams[at].context)
    rows = streams[last].sequence
    assert isinstance(rows, OutputRows)
    rows.classes = (*rows.classes, *idle)
    return streams
