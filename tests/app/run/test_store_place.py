"""Where a run keeps its objects: in its directory, or below a place that runs share, which it keeps for good and has alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from proven_runs import make_run

from assay.app.bench.lane import bench_config
from assay.app.demo.new_run import CLAIM, claim_store, wire
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ID = "platform_20260101T000000Z"


def root_of(run: Run) -> Path:
    """The folder of a store in a directory."""
    assert isinstance(run.store, DirectoryStore)
    return run.store.root


def test_a_run_without_a_place_keeps_its_objects_in_its_directory(tmp_path: Path) -> None:
    run = wire(tmp_path / ID, bench_config(), load_settings(), "b:1", "", 1, 2)
    assert (run.store_root, root_of(run)) == ("", tmp_path / ID / "store")
    assert not (tmp_path / ID / "store" / CLAIM).exists(), "nothing is claimed there"


def test_a_run_file_from_before_there_were_places_is_read(tmp_path: Path) -> None:
    make_run(tmp_path)
    fields = json.loads((tmp_path / "run.json").read_text())
    del fields["store_root"]
    (tmp_path / "run.json").write_text(json.dumps(fields))
    assert root_of(Run.load(tmp_path)) == tmp_path / "store"


def test_a_run_keeps_the_place_it_began_with_and_its_digest_does_not_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = bench_config()
    run = wire(tmp_path / ID, config, load_settings(store="shared/here"), "b:1", "", 1, 2)
    assert root_of(run) == tmp_path / "shared" / "here" / config.platform_run_id, "one directory for every process that is started"
    again = wire(tmp_path / ID, config, load_settings(store="other"), "b:1", "", 1, 2)
    assert (again.store_root, again.config.digest) == (run.store_root, config.digest)
    assert Run.load(tmp_path / ID).place == run.place


def test_a_place_has_one_run_of_an_id(tmp_path: Path) -> None:
    """Two machines may begin a run in one second, each with a Kafka of its own."""
    settings = load_settings(store=str(tmp_path / "shared"))
    first = claim_store(tmp_path / "one" / ID, ID, settings)
    assert claim_store(tmp_path / "one" / ID, ID, settings)[0] == first[0], "a start that was interrupted goes on"
    with pytest.raises(Stop) as refused:
        claim_store(tmp_path / "two" / ID, ID, settings)
    assert (refused.value.reason, refused.value.where) == (Reason.RUN_ID_TAKEN, str(tmp_path / "shared"))


def test_a_place_without_a_bucket_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        claim_store(tmp_path / ID, ID, load_settings(store="s3://"))
    assert (refused.value.reason, list(tmp_path.iterdir())) == (Reason.FILE_REFUSED, [])
