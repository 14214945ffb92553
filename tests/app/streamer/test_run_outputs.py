"""What a run streams is what READY names and its configuration allows; each class of the run is marked by somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_runs import config_of
from small_worlds import small_world
from streamed_banks import ANCHORS, ARRIVALS, ENTITIES, EVENTS, PINS, config_of_bank, facts_view, ready_for, rows_of, write_view

from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Cursor
from assay.app.streamer.facts import RunFacts, facts_of
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.lanes import Lane
from assay.app.streamer.outputs import OutputStream
from assay.app.streamer.run_outputs import outputs_of
from assay.contracts.engine_events import engine_events
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _facts(store: DirectoryStore, *outputs: str, **changes: Any) -> RunFacts:
    locators = [write_view(store, name, rows_of(name)) for name in outputs]
    return facts_of(store, ready_for(store, facts_view(locators, str(store.root), **changes)), PINS)


def _streams(store: DirectoryStore, facts: RunFacts, **changes: Any) -> list[OutputStream]:
    return outputs_of(config_of_bank(**changes), facts, store, lambda root: DirectoryStore(Path(root)))


def test_every_output_has_its_class_and_context_is_told_from_traffic(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    streams = _streams(store, _facts(store, EVENTS, ANCHORS, ENTITIES, ARRIVALS))
    assert {(stream.name, tuple(stream.sequence.classes), stream.context) for stream in streams} == {
        (EVENTS, ("traffic_fraud",), False),
        (ANCHORS, ("context_flow_fraud",), True),
        (ENTITIES, ("context_arrival_entities",), True),
        (ARRIVALS, ("context_arrival",), True),
    }


@pytest.mark.parametrize("outputs", [(EVENTS,), (EVENTS, ANCHORS), (ANCHORS, ARRIVALS)])
def test_classes_that_no_output_has_are_marked_with_the_last_one(tmp_path: Path, outputs: tuple[str, ...]) -> None:
    store = DirectoryStore(tmp_path)
    streams = _streams(store, _facts(store, *outputs))
    marked = [name for stream in streams for name in stream.sequence.classes]
    assert sorted(marked) == sorted({event.event_class for event in engine_events("fraud")})
    (most,) = [stream for stream in streams if len(stream.sequence.classes) > 1]
    assert most.name == (EVENTS if EVENTS in outputs else outputs[0])


@pytest.mark.parametrize(
    ("outputs", "changes", "reason"),
    [
        ((EVENTS,), {"traffic": "baseline"}, Reason.TRAFFIC_MODES_MIXED),
        ((EVENTS,), {"traffic": ""}, Reason.TRAFFIC_MODES_MIXED),
        ((EVENTS,), {"ordering": "arrival"}, Reason.DELIVERY_MODE_MISMATCH),
    ],
)
def test_another_traffic_and_another_mode_of_delivery_are_refused(
    tmp_path: Path, outputs: tuple[str, ...], changes: dict[str, Any], reason: Reason
) -> None:
    store = DirectoryStore(tmp_path)
    facts = _facts(store, *outputs)
    with pytest.raises(Stop) as refused:
        _streams(store, facts, **changes)
    assert refused.value.reason is reason


def test_truth_is_not_streamed_even_where_ready_names_it(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    locator = {**write_view(store, EVENTS, rows_of(EVENTS)), "output_id": "s4_flow_truth_labels_6B"}
    facts = facts_of(store, ready_for(store, facts_view([locator], str(tmp_path))), PINS)
    with pytest.raises(Stop) as refused:
        _streams(store, facts)
    assert refused.value.reason is Reason.OUTPUT_NOT_STREAMED


def test_each_sequence_lane_and_process_has_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    run = Run(directory=tmp_path / "run", config=config_of(world.manifest), bootstrap="nowhere:1", dsn="")
    streamed, delivered = (Keepers(run, "7" * 64, load_settings(), folder) for folder in ("wsp", "labels"))
    keepers = [
        *(streamed.of(name, Lane(number, lanes)) for name in (EVENTS, ANCHORS) for number, lanes in ((0, 1), (0, 2), (1, 2), (0, 3))),
        delivered.of(EVENTS),
    ]
    for position, keeper in enumerate(keepers, 1):
        keeper.save(Cursor(position))
    assert [keeper.load(99).position for keeper in keepers] == list(range(1, 10))
    with pytest.raises(Stop) as refused:
        Keepers(run, "8" * 64, load_settings()).of(EVENTS).load(99)
    assert refused.value.reason is Reason.CHECKPOINT_MISMATCH


@pytest.mark.parametrize(("begun", "asked"), [(1, 2), (2, 1), (2, 3)])
def test_a_run_that_was_begun_with_another_number_of_lanes_does_not_begin_anew(tmp_path: Path, begun: int, asked: int) -> None:
    world = small_world(tmp_path)
    run = Run(directory=tmp_path / "run", config=config_of(world.manifest), bootstrap="nowhere:1", dsn="")
    streamed, delivered = (Keepers(run, "7" * 64, load_settings(), folder) for folder in ("wsp", "labels"))
    for _ in range(begun):  # every lane says it, and each again after it was killed
        streamed.begin(begun)
    with pytest.raises(Stop) as refused:
        streamed.begin(asked)
    assert refused.value.reason is Reason.STREAM_LANE_INVALID
    assert f"--lanes {asked}" in refused.value.what and f"--lanes {begun}" in refused.value.what
    streamed.begin(begun)
    delivered.begin(asked)


@pytest.mark.parametrize("held", [b"", b"[]", b"{}", b'{"lanes":"2"}', b"[" * 5_000])
def test_a_number_of_lanes_that_cannot_be_read_is_refused(tmp_path: Path, held: bytes) -> None:
    run = Run(directory=tmp_path / "run", config=config_of(small_world(tmp_path).manifest), bootstrap="nowhere:1", dsn="")
    run.store.replace(f"wsp/lanes/{run.config.scenario_run_id}.json", held)
    with pytest.raises(Stop) as refused:
        Keepers(run, "7" * 64, load_settings()).begin(2)
    assert refused.value.reason is Reason.CHECKPOINT_MISMATCH
