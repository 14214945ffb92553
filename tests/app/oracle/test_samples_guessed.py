"""`assay oracle guess` on files in the shapes of public data sets, which it does not know: once its questions are answered, the import
reads the same rows, frauds and money as by the shipped mapping."""

from __future__ import annotations

from pathlib import Path

import pytest
from gated_worlds import NOW_US

from assay.app.cli import main
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.samples.shelf import SAMPLES, write_sample
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore

EVERYWHERE = ["truth.delay=7d"]
#: what a person has to know of each data set
ANSWERS = {
    "baf": ["time.origin=2021-02-01T00:00:00Z", "currency.constant=EUR"],
    "banksim": ["time.unit=d", "time.origin=2012-11-01T00:00:00Z", "currency.constant=EUR"],
    "creditcard": ["time.unit=s", "time.origin=2013-09-01T00:00:00Z", "currency.constant=EUR"],
    "ieee_cis": ["time.unit=s", "time.origin=2017-12-01T00:00:00Z", "currency.constant=USD", "currencies=USD"],
    "paysim": ["time.unit=h", "time.origin=2024-01-01T00:00:00Z", "currency.constant=USD"],
    "shop": ["time.zone=Europe/Berlin"],
    "sparkov": ["time.zone=UTC", "currency.constant=USD"],
    "tabformer": ["time.zone=UTC", "amount.sign=any", "currency.constant=USD"],
}


def facts(world: SealedWorld) -> tuple[object, ...]:
    """Rows, times, frauds and money."""
    manifest = world.manifest
    assert manifest.truth_summary is not None
    money = sum(world.stream_part(part)["amount_minor"].sum() for part in manifest.stream_view)
    return manifest.rows, manifest.min_ts_us, manifest.max_ts_us, manifest.truth_summary.positives, money


@pytest.mark.parametrize("name", SAMPLES)
def test_a_guess_reads_what_the_shipped_mapping_reads(tmp_path: Path, name: str) -> None:
    file, guessed = tmp_path / "in.csv", tmp_path / "guessed.yaml"
    write_sample(name, None, 1, file)
    answers = [part for answer in (*ANSWERS[name], *EVERYWHERE) for part in ("--set", answer)]
    with pytest.raises(SystemExit) as ended:
        main(["oracle", "guess", str(file), "--out", str(guessed), *answers])
    assert ended.value.code == 0
    worlds = [import_world(file, load_mapping(one), DirectoryStore(tmp_path / "store"), NOW_US) for one in (str(guessed), name)]
    assert facts(worlds[0]) == facts(worlds[1])
