"""Corridors judge a world and name none: only what the engine reads is in the name."""

from __future__ import annotations

from collections.abc import Iterator

from assay.app.world.corridors import FILE, Corridors, shipped_corridors
from assay.engine import graph
from assay.engine.parameters import Document, sealed_digests, shipped


def models(of: type[Document] = Document) -> Iterator[type[Document]]:
    """Every model of a document that is known."""
    for model in of.__subclasses__():
        yield model
        yield from models(model)


def test_the_documents_that_name_a_world_are_those_that_the_engine_reads() -> None:
    read = {model.document for model in models() if model.__module__.startswith(f"{graph.__package__}.")}
    assert shipped("tiny").documents.keys() == read
    assert Corridors.document not in read
    assert FILE not in sealed_digests()


def test_every_corridor_has_its_least_before_its_most() -> None:
    found = [(group, name, *corridor) for group, named in dict(shipped_corridors()).items() for name, corridor in named.items()]
    assert len(found) > 20
    assert [one for one in found if not one[2] < one[3]] == []
