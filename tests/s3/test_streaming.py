"""The streamer over views, facts and checkpoints on a real S3 server that gets into trouble: no event is lost, none has two ids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from faulty_proxy import FaultyProxy, Trouble
from marked_gate import MarkedGate
from streamed_banks import ANCHORS, ENTITIES, EVENTS, PINS, config_of_bank, facts_view, ready_for, rows_of, write_view
from troubled_store import Troubled

from assay.app.stores.objects import ObjectStore
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.facts import facts_of
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.world_streamer import Streamed, StreamOptions
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

ROWS = {EVENTS: 24, ANCHORS: 12, ENTITIES: 15}
#: calls of the gate that a stream without trouble makes at least: 51 rows by 2, and marks
CALLS = 26
SMALL = StreamOptions(batch_rows=2, in_flight=2, batches_per_mark=2)
Ready = dict[str, object]


def written(store: ObjectStore, root: str = "s3://banks/one") -> Ready:
    """The views and the facts view of a run; its READY."""
    return ready_for(store, facts_view([write_view(store, name, rows_of(name, rows)) for name, rows in ROWS.items()], root))


def streamed(store: ObjectStore, ready: Ready, gate: MarkedGate) -> Streamed:
    """What one process does, which finds everything in the store."""
    streams = outputs_of(config_of_bank(), facts_of(store, ready, PINS), store, lambda _: store)

    async def run() -> Streamed:
        keepers = {stream.name: Checkpoint(store, stream.name, "scope") for stream in streams}
        return await OutputsStreamer(streams, gate, lambda name, _: keepers[name], Plan(SMALL), asyncio.Event()).run()

    return asyncio.run(run())


def undisturbed(troubled: Troubled, ready: Ready) -> dict[str, dict[str, int]]:
    """Ids and times of all events, as the gate takes them without trouble; nothing is kept of this stream."""
    gate = MarkedGate()
    assert streamed(troubled.around, ready, gate).complete
    troubled.around.remove_below("wsp")
    return gate.taken


def refused(stream: Callable[[], object]) -> Reason | None:
    """What a stream ended with."""
    try:
        stream()
    except Retry as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(
    ("trouble", "calls", "ends"),
    [
        (Trouble.SILENT, 1, None),
        (Trouble.REFUTED, 1, Reason.STORE_SILENT),
        pytest.param(Trouble.UNAVAILABLE, 1, None, marks=pytest.mark.long),
        pytest.param(Trouble.UNANSWERED, 1, None, marks=pytest.mark.long),
        pytest.param(Trouble.TORN, 2, None, marks=pytest.mark.long),
        pytest.param(Trouble.UNAVAILABLE, None, Reason.STORE_SILENT, marks=pytest.mark.long),
        pytest.param(Trouble.SILENT, None, Reason.STORE_SILENT, marks=pytest.mark.long),
        pytest.param(Trouble.TORN, None, Reason.STORE_SILENT, marks=pytest.mark.long),
    ],
)
def test_a_store_in_trouble_in_the_middle_of_a_stream_is_asked_again_or_ends_it_and_the_same_command_goes_on(
    troubled: Troubled, trouble: Trouble, calls: int | None, ends: Reason | None
) -> None:
    ready = written(troubled.around)
    expected, gate = undisturbed(troubled, ready), MarkedGate(1)
    at = Random(f"{trouble}{calls}").randrange(2, CALLS)
    gate.happens[at] = lambda: troubled.proxy.become(trouble, calls)
    assert refused(lambda: streamed(troubled.store, ready, gate)) is ends
    assert troubled.proxy.met >= 1
    troubled.proxy.become(Trouble.NONE)
    assert streamed(troubled.store, ready, gate).complete
    assert gate.taken == expected


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_troubles_of_the_store_one_after_another_lose_no_event_and_make_no_second_id(troubled: Troubled, seed: int) -> None:
    ready, random = written(troubled.around), Random(seed)
    expected, gate, ended = undisturbed(troubled, ready), MarkedGate(seed), 0
    kinds = [kind for kind in Trouble if kind not in (Trouble.NONE, Trouble.FORBIDDEN)]
    for at in sorted(random.sample(range(2, CALLS), 6)):
        gate.happens[at] = become(troubled.proxy, random.choice(kinds), random.randrange(1, 5))
    while True:
        reason = refused(lambda: streamed(troubled.store, ready, gate))
        if reason is None:
            break
        assert reason is Reason.STORE_SILENT
        ended += 1
        assert ended < 40
    assert gate.taken == expected


def become(proxy: FaultyProxy, trouble: Trouble, calls: int) -> Callable[[], None]:
    """What happens at a call of the gate."""
    return lambda: proxy.become(trouble, calls)
