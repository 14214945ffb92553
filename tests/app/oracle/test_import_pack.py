"""An imported world is a pack: the readers and the check of packs take it as they take a generated one."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small_worlds import small_world

from assay.app.pack.checking import check_pack
from assay.app.pack.interface import TRUTH_ROLE
from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def test_an_imported_world_is_a_pack_that_the_check_of_packs_passes(tmp_path: Path) -> None:
    """Its gate passes, its outputs have locators, and the truth is an output of its own with the role of truth."""
    world = small_world(tmp_path)
    report = check_pack(DirectoryStore(tmp_path / "store" / world.root))
    assert (report.status, report.issues, report.pack_id) == ("OK", (), world.manifest.oracle_pack_id)
    assert [(one.output_id, one.files, one.rows) for one in report.outputs] == [("payments", 1, 4), ("payments_truth", 1, 3)]
    pack = open_pack(DirectoryStore(tmp_path / "store" / world.root))
    assert {name: output.role for name, output in pack.interface.outputs.items()} == {
        "payments": "behavioural_streams",
        "payments_truth": TRUTH_ROLE,
    }


@pytest.mark.parametrize("number", range(2))
def test_the_catalogue_lists_the_columns_of_the_files(tmp_path: Path, number: int) -> None:
    world = small_world(tmp_path)
    pack = open_pack(DirectoryStore(tmp_path / "store" / world.root))
    output = list(pack.interface.outputs.values())[number]
    frame = pl.read_parquet(pack.read(pack.parts(output)[0]))
    assert set(output.columns) == set(frame.columns)


@pytest.mark.parametrize(
    ("held", "reason"),
    [(b"{", Reason.PACK_MANIFEST_INVALID), (b'{"seal_status": "SEALED_FAILED"}', Reason.PACK_SEALED_FAILED)],
)
def test_a_seal_that_failed_or_is_damaged_is_never_written_over(tmp_path: Path, held: bytes, reason: Reason) -> None:
    world = small_world(tmp_path)
    world.store.replace(f"{world.root}/_SEALED.json", held)
    with pytest.raises(Stop) as refused:
        small_world(tmp_path)
    assert refused.value.reason is reason
