"""A guess, made without the shipped mapping, reads the same payments and frauds from each sample as the shipped mapping does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small_worlds import NOW_US

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import Mapping, load_mapping, parse_mapping
from assay.app.oracle.samples.shelf import SAMPLES, write_sample
from assay.app.stores.objects import DirectoryStore

ROWS = 600
FACTS = ["ts_us", "amount_minor", "label"]


def facts_of(file: Path, mapping: Mapping, store: Path) -> pl.DataFrame:
    """Times, amounts and labels of a file's payments, in their order."""
    world = import_world(file, mapping, DirectoryStore(store), NOW_US)
    view = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    return view.join(world.truth().select("event_id", "label"), on="event_id", how="left").sort(FACTS).select(FACTS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_guess_of_a_sample_reads_what_the_shipped_mapping_reads(tmp_path: Path, name: str) -> None:
    file, shipped = tmp_path / f"{name}.csv", load_mapping(name)
    write_sample(name, ROWS, 1, file)
    found = guess(read_sample(file), name)
    known = {
        "time.zone": shipped.time.zone,
        "time.unit": shipped.time.unit,
        "time.origin": shipped.time.origin,
        "amount.sign": shipped.amount.sign,
        "currency.constant": "USD",
        "currencies": "USD",
        "truth.delay": "7d",
    }
    assert {leaf.place for leaf in found.open} <= set(known)
    guessed = parse_mapping(document(Guess(said(found.leaves, known), found.notes), "guessed"), name)
    assert facts_of(file, guessed, tmp_path / "guessed").equals(facts_of(file, shipped, tmp_path / "shipped"))
