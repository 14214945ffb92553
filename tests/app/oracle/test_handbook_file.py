"""The whole file of the Handbook becomes one world, whoever imports it and whenever."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore

NOW_US = 1_893_456_000_000_000


@pytest.mark.tier3
def test_the_handbooks_file_is_sealed_whole(tmp_path: Path) -> None:
    data = load_settings().tier3_data
    assert data is not None, "the tier is not run without data"
    world = import_world(data / "fdh_2018-04_07.parquet", load_mapping("handbook"), DirectoryStore(tmp_path), NOW_US)
    assert world.manifest.rows == sum(part.rows for part in world.manifest.stream_view) == 1_169_723
    assert world.manifest.truth_summary is not None
    assert world.manifest.truth_summary.emitted == 9_465
    assert len(list(world.verify())) == 10
    assert world.manifest.manifest_fingerprint == "d751607af9708f771188dd4bd898f6c1687e7d18ad22c1e77c632736e49bb751"
