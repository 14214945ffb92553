"""6A is a function of its identity: workers, order, cuts into parts and machine code change nothing; its gate holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from entity_worlds import identity, made_in_memory, maker, parameters_of
from plain_python import printed
from small_graph import files

from assay.app.stores.objects import DirectoryStore
from assay.app.world.bundles import status_of
from assay.contracts.gates import FLAG
from assay.engine.entities.segment import SEGMENT_6A

SMALL = parameters_of(3_000, part_parties=700)
TINY = 80


def rows_of(part_parties: int, *, backwards: bool = False) -> dict[str, pl.DataFrame]:
    """Rows by output of one identity, cut into parts of this size."""
    world = made_in_memory(parameters_of(3_000, part_parties=part_parties), identity(SMALL), backwards=backwards)
    # which part wants how many links is about parts
    named = [output for output in SEGMENT_6A.outputs if output.output_id != "s4_ip_demand_6A"]
    return {output.output_id: world.rows(output) for output in named}


def digest() -> str:
    """sha256 over the rows of a world of few parties."""
    world = made_in_memory(parameters_of(TINY, part_parties=50))
    texts = [world.rows(output).write_csv() for output in SEGMENT_6A.outputs]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """A world made by one worker."""
    store = DirectoryStore(tmp_path_factory.mktemp("one") / "world")
    maker(store, SMALL).make()
    return store


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_no_byte(store: DirectoryStore, tmp_path: Path, workers: int) -> None:
    other = DirectoryStore(tmp_path / "other")
    maker(other, SMALL, workers).make()
    assert files(other) == files(store)


def test_order_and_size_of_parts_change_no_row() -> None:
    wanted = rows_of(700)
    for found in (rows_of(700, backwards=True), rows_of(3_000), rows_of(411)):
        assert [name for name, rows in found.items() if not rows.equals(wanted[name])] == []


def test_another_seed_gives_other_rows() -> None:
    parameters = parameters_of(300)
    first, second = (made_in_memory(parameters, identity(parameters, seed)) for seed in (1, 2))
    changed = [output for output in SEGMENT_6A.outputs if not first.rows(output).equals(second.rows(output))]
    assert {output.output_id for output in changed} == {output.output_id for output in SEGMENT_6A.outputs}


def test_machine_code_and_plain_python_agree() -> None:
    assert printed("from world.test_entity_bytes import digest; print(digest())") == digest()


def test_the_index_of_the_bundle_counts_files_in_its_own_order(store: DirectoryStore, tmp_path: Path) -> None:
    named = identity(SMALL)
    root = SEGMENT_6A.bundle_root(named)
    index = json.loads(store.read(f"{root}/validation_bundle_index_6A.json"))
    assert index["spec_version_6A"] == "1.0.0"
    assert all({*item} == {"path", "sha256_hex", "role"} for item in index["items"])
    joined = b"".join(store.read(f"{root}/{item['path']}") for item in index["items"])
    assert store.read(f"{root}/{FLAG}").decode() == f"sha256_hex = {hashlib.sha256(joined).hexdigest()}\n"
    assert [item["path"] for item in index["items"]] != sorted(item["path"] for item in index["items"])
    assert status_of(store, SEGMENT_6A, named).status == "PASS"
    index["items"].reverse()
    other = DirectoryStore(tmp_path / "other")
    for key, data in files(store).items():
        other.create(key, json.dumps(index).encode() if key.endswith("index_6A.json") else data)
    assert status_of(other, SEGMENT_6A, named).status == "FAIL"
