"""The streamer with an S3 key of its own, held to the policy that the documentation shows: enough for it, and too little for truth."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import s3_server
from marked_gate import MarkedGate
from small_worlds import small_world
from streamed_banks import ANCHORS, ENTITIES, EVENTS, PINS, config_of_bank, facts_view, ready_for, rows_of, write_view
from streamer_policy import PAGE, documented

from assay.app.labels.delivery import FOLDER, undelivered_text
from assay.app.run.directory import Run
from assay.app.run.frozen import freeze, refuse_changed
from assay.app.settings import Settings, load_settings
from assay.app.stores.objects import ObjectStore
from assay.app.stores.places import store_of
from assay.app.stores.s3 import client_of
from assay.app.streamer.facts import facts_of
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

TRUTH = "data/s4_flow_truth_labels_6B/part-000000.parquet"
OUTPUTS = (EVENTS, ANCHORS, ENTITIES)


def become_streamer(settings: Settings, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], bucket: str, policy: Any) -> None:
    """From here on clients of this test have a key that the policy holds."""
    user = s3_server.made_user(s3_server.built(settings.cache), variables)
    s3_server.allow(client_of(), bucket, user, policy)
    for name, value in user.items():
        monkeypatch.setenv(name, value)


def refused(store: ObjectStore, key: str) -> bool:
    """Whether the server refuses a key's object."""
    with pytest.raises(Stop) as stopped:
        store.read(key)
    return stopped.value.reason is Reason.ACCESS_DENIED


def test_the_documented_key_streams_a_bank_and_is_refused_its_truth(
    s3: str, s3_variables: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root, bank = f"s3://{s3}/banks/one", store_of(f"s3://{s3}/banks/one")
    run = Run(directory=tmp_path, config=config_of_bank(), bootstrap="nowhere:1", dsn="", store_root=f"s3://{s3}/runs")
    ours = store_of(run.place)
    ready = ready_for(ours, facts_view([write_view(bank, name, rows_of(name)) for name in OUTPUTS], root))
    freeze(ours, run.config)
    bank.create(TRUTH, b"truth")
    become_streamer(settings, monkeypatch, s3_variables, s3, documented("banks/one", f"runs/{run.platform_run_id}", s3))
    refuse_changed(run)
    facts, gate = facts_of(run.store, ready, PINS), MarkedGate()
    streams = outputs_of(run.config, facts, run.store, store_of)

    async def stream() -> bool:
        with closing(Keepers(run, facts.pack_id, load_settings())) as keepers:
            keepers.begin(1)
            plan = Plan(StreamOptions(batch_rows=5, in_flight=1, batches_per_mark=1))
            return (await OutputsStreamer(streams, gate, keepers.of, plan, asyncio.Event()).run()).complete

    assert asyncio.run(stream())
    assert {name: len(taken) for name, taken in gate.taken.items()} == dict.fromkeys(OUTPUTS, 12)
    assert "has delivered 0 so far" in undelivered_text(run, Keepers(run, facts.pack_id, load_settings(), FOLDER))
    narrow = store_of(root)
    assert refused(narrow, TRUTH) and refused(narrow, f"stream_view/../{TRUTH}") and refused(run.store, "sr/run_plan/x.json")
    for store, key in ((narrow, "stream_view/x"), (run.store, "sr/run_facts_view/x.json")):
        with pytest.raises(Stop) as stopped:
            store.replace(key, b"")
        assert stopped.value.reason is Reason.ACCESS_DENIED


@pytest.mark.long
def test_the_documented_prefix_of_an_imported_world_shows_its_view_and_not_its_truth(
    s3: str, s3_variables: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, place = small_world(tmp_path), f"s3://{s3}/runs/one"
    ours = store_of(place)
    for key in world.store.keys("oracle"):
        ours.create(key, world.store.read(key))
    resource = [f"arn:aws:s3:::{s3}/runs/one/oracle/*/stream_view/*"]
    assert "`RUNS/RUN/oracle/*/stream_view/*`" in PAGE.read_text(encoding="utf-8")
    become_streamer(settings, monkeypatch, s3_variables, s3, [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": resource}])
    narrow = store_of(place)
    for part in world.manifest.stream_view:
        assert narrow.read(f"{world.root}/{part.key}") == world.store.read(f"{world.root}/{part.key}")
    assert [refused(narrow, f"{world.root}/{part.key}") for part in world.manifest.truth] == [True]
