"""A guess is a mapping with which the import works once its open questions are answered, and it is silent about nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from guess_shapes import SHAPES
from small_worlds import NOW_US

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def guessed(path: Path) -> Guess:
    """The guess of a file."""
    return guess(read_sample(path), path.name.split(".")[0])


def text_of(found: Guess, answers: dict[str, Any] | None = None) -> str:
    """The mapping with answers in place of its open questions."""
    return document(Guess(said(found.leaves, answers or {}), found.notes), "guessed")


@pytest.mark.parametrize("name", SHAPES)
def test_a_guess_of_a_public_shape_imports_once_its_questions_are_answered(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    file = tmp_path / f"{name}.csv"
    file.write_text(shape.text, encoding="utf-8")
    found = guessed(file)
    assert {leaf.place for leaf in found.open} == set(shape.answers)
    with pytest.raises(Stop) as refusal:
        parse_mapping(text_of(found), name)
    assert refusal.value.reason == Reason.MAPPING_INVALID
    assert all(place in refusal.value.what for place in shape.answers)
    text = text_of(found, shape.answers)
    document_ = yaml.safe_load(text)
    assert {part: document_.get(part) for part in shape.found} == shape.found
    world = import_world(file, parse_mapping(text, name), DirectoryStore(tmp_path / "store"), NOW_US)
    assert world.manifest.rows == shape.text.count("\n") - 1
    assert world.manifest.truth_summary is not None
    assert world.manifest.truth_summary.positives == shape.frauds
