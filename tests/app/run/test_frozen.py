"""The configuration that a run began with is frozen: another policy under it is refused by gate, worker, streamer, demo and up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assay_command import assay
from profile_files import MANAGED

from assay.app.bench.lane import bench_config
from assay.app.demo.new_run import as_profiled, refuse_other_config, wire
from assay.app.profiles.documents import load_profile
from assay.app.run.directory import Run, RunConfig
from assay.app.run.frozen import FROZEN, freeze, refuse_changed
from assay.app.settings import load_settings
from assay.contracts.errors import Stop
from assay.contracts.handles import TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics_of

CONFIG = bench_config()


@pytest.fixture(autouse=True)
def _of_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MANAGED.items():
        monkeypatch.setenv(name, value)


def begun(directory: Path, config: RunConfig = CONFIG, **settings: Any) -> Run:
    """A run as a command begins it."""
    return wire(directory, config, load_settings(**settings), "127.0.0.1:1", "postgresql://me@127.0.0.1:1/db", 1, 2)


def edit(directory: Path, **fields: Any) -> None:
    """Change the configuration in `run.json` by hand."""
    held = json.loads((directory / "run.json").read_text())
    held["config"] |= fields
    (directory / "run.json").write_text(json.dumps(held))


EDITS = [
    ("features", {**CONFIG.features, "revision": "edited"}),
    ("policy", {**CONFIG.policy, "revision": "edited"}),
    ("label_delay_us", 1),
    ("topic_layout", {TRAFFIC: [9, 1]}),
    ("profile_policy", "ab" * 32),
]


@pytest.mark.parametrize(("field", "value"), EDITS, ids=[field for field, _ in EDITS])
def test_an_edited_configuration_is_refused_by_the_name_of_its_field(tmp_path: Path, field: str, value: Any) -> None:
    refuse_changed(begun(tmp_path))
    edit(tmp_path, **{field: value})
    with pytest.raises(Stop) as refused:
        refuse_changed(Run.load(tmp_path))
    assert (refused.value.reason, refused.value.where) == (Reason.POLICY_CHANGED_MID_RUN, str(tmp_path / "run.json"))
    assert refused.value.what == f"this run was begun with another {field}"


@pytest.mark.parametrize("command", [("gate", "serve"), ("worker",), ("stream",), ("labels", "deliver")])
def test_gate_worker_streamer_and_delivery_do_not_start_under_an_edited_policy(tmp_path: Path, command: tuple[str, ...]) -> None:
    begun(tmp_path)
    edit(tmp_path, policy={**CONFIG.policy, "revision": "edited"})
    ended = assay(*command, "--run", tmp_path)
    assert (ended.code, "POLICY_CHANGED_MID_RUN: this run was begun with another policy" in ended.err) == (70, True), ended.text


def test_what_is_frozen_is_written_once_also_when_the_run_is_begun_again(tmp_path: Path) -> None:
    first = begun(tmp_path)
    frozen = first.store.read(FROZEN)
    assert json.loads(frozen)["run_config_digest"] == CONFIG.digest.hex()
    begun(tmp_path)
    freeze(first.store, CONFIG.model_copy(update={"label_delay_us": 1}))
    assert first.store.read(FROZEN) == frozen


def test_a_run_of_before_is_not_refused_and_is_frozen_at_its_next_start(tmp_path: Path) -> None:
    run = Run(directory=tmp_path, config=CONFIG, bootstrap="127.0.0.1:1", dsn="")
    run.save()
    refuse_changed(run)
    begun(tmp_path)
    edit(tmp_path, policy={"policy_id": "edited"})
    with pytest.raises(Stop, match="POLICY_CHANGED_MID_RUN"):
        refuse_changed(Run.load(tmp_path))


@pytest.mark.parametrize("held", [b"", b"[]", b"{}", b'{"run_config_digest": "ab", "fields": 7}'])
def test_a_frozen_configuration_that_cannot_be_read_is_refused(tmp_path: Path, held: bytes) -> None:
    run = begun(tmp_path)
    run.store.replace(FROZEN, held)
    with pytest.raises(Stop) as refused:
        refuse_changed(run)
    assert refused.value.reason is Reason.POLICY_CHANGED_MID_RUN


def test_a_demo_that_goes_on_tells_another_policy_from_another_world(tmp_path: Path) -> None:
    begun(tmp_path)
    policy = CONFIG.model_copy(update={"policy": {"policy_id": "other"}})
    for now, reason in ((policy, Reason.POLICY_CHANGED_MID_RUN), (policy.model_copy(update={"seed": 99}), Reason.RUN_SCOPE_MISMATCH)):
        with pytest.raises(Stop) as refused:
            refuse_other_config(tmp_path, now)
        assert refused.value.reason is reason


def test_the_traffic_of_a_world_is_part_of_the_digest_and_decides_which_topics_a_run_has() -> None:
    streaming = [CONFIG.model_copy(update={"traffic": traffic}) for traffic in ("baseline", "fraud")]
    assert len({CONFIG.digest, *(one.digest for one in streaming)}) == 3
    assert [sorted(as_profiled(one, Path("nowhere"), load_settings()).topic_layout) for one in streaming] == [
        sorted(topics_of("baseline")), sorted(topics_of("fraud"))
    ]  # fmt: skip


def test_the_digest_of_a_new_run_covers_layout_and_policy_of_its_profile_and_an_older_run_keeps_its_own(tmp_path: Path) -> None:
    plain, dev_min, prod = (as_profiled(CONFIG, tmp_path / "new", load_settings(profile=name)) for name in ("", "dev_min", "prod"))
    rehearsed = as_profiled(CONFIG, tmp_path / "new", load_settings(profile="local"))
    assert len({CONFIG.digest, plain.digest, dev_min.digest, prod.digest}) == 4
    assert rehearsed.digest == dev_min.digest, "the wiring changes nothing"
    assert (dev_min.topic_layout[TRAFFIC], dev_min.profile_policy) == ((3, 86_400_000), load_profile("dev_min").policy.digest)
    begun(tmp_path / "older")  # its config has no layout, as of a version before
    assert as_profiled(CONFIG, tmp_path / "older", load_settings()).digest == CONFIG.digest


def test_a_run_goes_on_without_a_profile_and_under_its_own_and_under_no_other(tmp_path: Path) -> None:
    config = as_profiled(CONFIG, tmp_path, load_settings(profile="local"))
    begun(tmp_path, config, profile="local")
    for same in ("", "local", "local_parity"):
        assert as_profiled(CONFIG, tmp_path, load_settings(profile=same)) == config
    with pytest.raises(Stop, match="than prod") as refused:
        as_profiled(CONFIG, tmp_path, load_settings(profile="prod"))
    assert refused.value.reason is Reason.POLICY_CHANGED_MID_RUN
