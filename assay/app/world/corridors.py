"""How real a world has to be: `corridors.yaml` beside this file. It judges a world, so it is no parameter and names none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document
from assay.engine.parameters import Document, Parameters

FILE = "corridors.yaml"
Corridor = tuple[float, float]


class Corridors(Document):
    """The document: group → measure → [least, most]."""

    document = "corridors"
    prevalence: dict[str, Corridor]
    shape: dict[str, Corridor]
    bank: dict[str, Corridor]
    difficulty: dict[str, Corridor]
    campaigns: dict[str, Corridor]

    def of(self, group: str, name: str) -> Corridor:
        """Least and most of a measure."""
        corridors: Mapping[str, Corridor] = dict(self)[group]
        return corridors[name]


@dataclass(frozen=True)
class Measure:
    """A figure and the corridor that it has to lie in."""

    group: str
    name: str
    value: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether the figure lies in its corridor."""
        return bool(self.least <= self.value <= self.most)


@cache
def shipped_corridors() -> Corridors:
    """The shipped corridors. Raises Stop(ENGINE_PARAMETERS_INVALID) naming the field."""
    document = read_document(files(__package__).joinpath(FILE).read_bytes(), Reason.ENGINE_PARAMETERS_INVALID, FILE)
    return Parameters({Corridors.document: document}).of(Corridors)
