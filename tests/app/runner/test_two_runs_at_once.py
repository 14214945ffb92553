"""Two runs at once over two banks, from the engine to the last event: they share nothing, although their rows are equal."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import pytest
from hex_names import names_in, names_in_records, names_in_store
from marked_gate import MarkedGate
from sample_decisions import FEATURES
from scenario_runs import runner_over, sqlite_authority
from small_graph import PARAMETERS, TEXT_GATE
from small_runs import KeptRecords
from small_worlds import NOW_US
from streamed_banks import EVENTS

from assay.app.authority.port import Authority
from assay.app.pack.interface import CATALOGUE, GATE_MAP, Interface, interface_of
from assay.app.pack.sealed_pack import open_pack
from assay.app.run.directory import Run, RunConfig
from assay.app.runner.announcement import ready_of
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.engine import Attempt, Outcome
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.request import read_request, request_of_run
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore, ObjectStore
from assay.app.stores.places import store_of
from assay.app.stream_view.sorting import Room
from assay.app.stream_view.view import ViewSorter
from assay.app.streamer.facts import facts_of
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.world_streamer import StreamOptions
from assay.app.world.making import WorldMaker
from assay.app.world.pack import seal, write_receipt
from assay.contracts.ids import scenario_run_id
from assay.contracts.topics import topic
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.output import Column, Output
from assay.engine.segment import Scene, Segment, State
from assay.tables.feature_plan import compile_plan

SEEDS = (7, 8)
ROWS = 40
COLUMNS = (
    Column("flow_id", "id"), Column("event_seq", "id"), Column("event_type", "text"), Column("ts_utc", "time"), Column("amount", "number"),
)  # fmt: skip
TOKENS = ("seed", "parameter_hash", "manifest_fingerprint", "scenario_id")
STREAM = Output(EVENTS, "6B", 3, COLUMNS, ("flow_id", "event_seq"), "behavioural_streams", identity=TOKENS, tokens=TOKENS)


def events(scene: Scene, part: int) -> dict[str, pl.DataFrame]:
    """The same rows for every seed."""
    flow = pl.int_range(ROWS * part, ROWS * (part + 1), eager=True)
    times = (flow * 1_000_000 + 1_767_225_600_000_000).cast(pl.Datetime("us", "UTC"))
    values = {"flow_id": flow, "event_seq": flow * 0, "ts_utc": times, "amount": flow.cast(pl.Float64)}
    return {EVENTS: pl.DataFrame(values).with_columns(event_type=pl.lit("AUTH_REQUEST"))}


SEGMENTS = (Segment("6B", 3, (), (State("S1", (), (STREAM,), events, lambda _: 2),), (), TEXT_GATE),)


def identity(seed: int) -> WorldIdentity:
    return identity_of(seed, "baseline_v1", PARAMETERS.hash, {})


def make_bank(store: DirectoryStore, seed: int) -> None:
    """Make and seal a bank of one output."""
    write_receipt(store, identity(seed), "tiny", NOW_US)
    WorldMaker(store, identity(seed), PARAMETERS, SEGMENTS).make()
    seal(store, SEGMENTS, identity(seed), NOW_US)


#: both worlds are of one release with one set of parameters, and both runs compute the same features
NAMED_ALIKE = (identity(1).manifest_fingerprint, identity(1).parameter_hash, compile_plan(FEATURES).digest.hex())


class Maker:
    """An engine that both runs call at the same time."""

    def __init__(self, together: Barrier) -> None:
        self._together = together

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        self._together.wait(60)
        make_bank(DirectoryStore(Path(attempt.engine_run_root)), attempt.seed)
        return Outcome(stdout=attempt.attempt_id.encode())


class KeepingGate(MarkedGate):
    """Keeps the names in the bodies that it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    async def ingest(self, body: bytes) -> dict[str, Any]:
        self.names |= names_in(body)
        return await super().ingest(body)


class OneRun:
    """A run of a bank of its own; what it shares with others by its wiring are the store's root and the database."""

    def __init__(self, root: Path, seed: int, interface: Interface) -> None:
        named, world = f"platform_20260101T00000{seed}Z", identity(seed)
        pins: dict[str, Any] = {"manifest_fingerprint": world.manifest_fingerprint, "parameter_hash": world.parameter_hash, "seed": seed}
        key = scenario_run_id(f"{named}|{world.manifest_fingerprint}")
        scope: dict[str, Any] = {"platform_run_id": named, "scenario_run_id": key, "scenario_id": world.scenario_id, "run_id": world.run_id}
        config = RunConfig(**pins, **scope, features=FEATURES, policy={"policy_id": "p", "revision": "1"}, traffic="fraud")
        self.bank, self.interface = DirectoryStore(root / "banks" / str(seed)), interface
        self.run = Run(directory=root / named, config=config, namespace=f"{named}.", bootstrap="b:1", dsn="", store_root=str(root / "runs"))
        self.bus, self.gate = KeptRecords(), KeepingGate()

    def bring_to_ready(self, authority: Authority, together: Barrier) -> str:
        """The message id of READY."""
        config = self.run.config
        asked = {"engine_run_root": str(self.bank.root), "output_ids": [EVENTS], "requested_strategy": "FORCE_INVOKE"}
        changes: dict[str, Any] = {"authority": authority, "engine": Maker(together), "policy": RunnerPolicy(attempt_limit=1)}
        runner = runner_over(config, self.run.store, self.bus, NOW_US, evidence=BankWorld(self.bank, self.interface), **changes)
        answer = runner.submit(read_request({**request_of_run(config), **asked}))
        assert answer.state == "READY", answer
        return answer.message_id

    def stream(self) -> None:
        """Sort the view and send it."""
        with tempfile.TemporaryDirectory() as spill:
            ViewSorter(open_pack(self.bank), self.bank, Room(1 << 24, Path(spill)), lambda: NOW_US, lambda _: None).sort(EVENTS)
        document = json.loads(self.run.store.read(f"sr/run_facts_view/{self.run.config.scenario_run_id}.json"))
        ready = ready_of(document, self.run.config.run_id, f"sr/run_facts_view/{self.run.config.scenario_run_id}.json")
        facts = facts_of(self.run.store, ready, self.run.config.pins)
        streams = outputs_of(self.run.config, facts, self.run.store, store_of)

        async def send() -> bool:
            with closing(Keepers(self.run, facts.pack_id, load_settings())) as keepers:
                keepers.begin(1)
                plan = Plan(StreamOptions(batch_rows=7, batches_per_mark=2))
                return (await OutputsStreamer(streams, self.gate, keepers.of, plan, asyncio.Event()).run()).complete

        assert asyncio.run(send())

    def names(self) -> set[str]:
        """Ids and digests of everything that this run wrote, said and sent."""
        told = names_in_records((handle, name, record) for handle, name, record in self.bus.read())
        return names_in_store(self.run.store) | told | self.gate.names


@pytest.fixture
def interface(tmp_path: Path) -> Interface:
    """The documents of the release, as they are known before any bank is there."""
    store = DirectoryStore(tmp_path / "release")
    make_bank(store, 1)
    return interface_of(store.read(CATALOGUE), store.read(GATE_MAP))


def test_two_runs_at_once_over_two_banks_share_no_id_no_topic_no_state_and_no_evidence(tmp_path: Path, interface: Interface) -> None:
    runs, together = [OneRun(tmp_path, seed, interface) for seed in SEEDS], Barrier(len(SEEDS))
    authority = sqlite_authority(tmp_path / "authority.db")

    def go(one: OneRun) -> str:
        message_id = one.bring_to_ready(authority, together)
        together.wait(60)
        one.stream()
        return message_id

    with ThreadPoolExecutor(len(runs)) as pool:
        messages = list(pool.map(go, runs))
    first, second = (one.names() for one in runs)
    assert first & second == {*NAMED_ALIKE}
    assert {*messages} <= first | second and len({*messages}) == 2
    for one in runs:
        assert len(one.gate.taken[EVENTS]) == 2 * ROWS
    assert keys_of(runs[0].run.store, runs[1]) == set() == keys_of(runs[1].run.store, runs[0])
    assert len({(row.key, row.run_id) for row in authority.rows()}) == 2
    handles = {handle for one in runs for handle, _ in one.bus.published}
    assert len({topic(handle).name(one.run.namespace) for one in runs for handle in handles}) == 2 * len(handles)
    attempts = [json.loads(store_object(one.run.store, "sr/engine_attempts", "attempt.json"))["attempt_id"] for one in runs]
    assert len({*attempts}) == 2


def keys_of(store: ObjectStore, other: OneRun) -> set[str]:
    """Keys of a store that name another run."""
    return {key for key in store.keys("") if other.run.config.scenario_run_id in key or other.run.platform_run_id in key}


def store_object(store: ObjectStore, prefix: str, name: str) -> bytes:
    """The one object of a name below a prefix."""
    (key,) = [key for key in store.keys(prefix) if key.endswith(name)]
    return store.read(key)
