"""A segment as a value: states that make outputs of outputs, checks over them, and the gate that lets readers in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from assay.contracts.errors import Stop
from assay.contracts.gates import GateMethod
from assay.contracts.reasons import Reason
from assay.engine.identity import WorldIdentity
from assay.engine.output import Output
from assay.engine.parameters import Parameters
from assay.engine.philox import stream_key

#: (output id, part or None for all parts, columns or None for all) → rows
Reader: TypeAlias = Callable[[str, "int | None", "Sequence[str] | None"], pl.DataFrame]


@dataclass(frozen=True)
class Scene:
    """What a state sees: identity, parameters, and the inputs that it declares. `prepared`: what its `prepare` gave, for all parts."""

    identity: WorldIdentity
    parameters: Parameters
    segment: Segment
    place: str
    inputs: tuple[str, ...]
    reader: Reader
    prepared: Any = None

    def key(self, stream: str) -> np.uint64:
        """The key of a stream of random numbers of this state, over the tokens of the segment's seed path."""
        return self._key(self.place, stream)

    def shared_key(self, stream: str) -> np.uint64:
        """The key of a stream that several states of the segment draw from: each finds the same numbers."""
        return self._key(stream)

    def _key(self, *names: str) -> np.uint64:
        tokens = self.identity.tokens()
        return stream_key(*(tokens[name] for name in self.segment.seed_path), self.segment.segment_id, *names)

    def table(self, output_id: str, part: int | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of an input without identity columns where `columns` name others. Raises Stop(ENGINE_INPUT_NOT_DECLARED)."""
        if output_id not in self.inputs:
            what = f"state {self.place} of {self.segment.segment_id} reads {output_id}, which is none of its inputs"
            raise Stop(Reason.ENGINE_INPUT_NOT_DECLARED, what, where=self.segment.segment_id, remedy="Declare it in the state's inputs.")
        return self.reader(output_id, part, columns)


def one_part(_: Parameters) -> int:
    """A state that makes all its rows at once."""
    return 1


@dataclass(frozen=True)
class State:
    """A step of a segment. `make` gives the rows of each output for one part; parts may be made in any order, at once.

    `parts` depends on parameters alone, so that files do not depend on the number of workers. `prepare` runs once before the parts:
    indexes that all of them read.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    make: Callable[[Scene, int], Mapping[str, pl.DataFrame]]
    parts: Callable[[Parameters], int] = one_part
    prepare: Callable[[Scene], Any] | None = None


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check: measured values, and the bounds that they were held against."""

    passed: bool
    measured: Mapping[str, float | int | str]
    bounds: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A look at a segment's outputs before its flag. A required one that fails leaves no flag; another is a warning in the report."""

    name: str
    inputs: tuple[str, ...]
    look: Callable[[Scene], Verdict]
    required: bool = True


@dataclass(frozen=True)
class Segment:
    """A part of the engine with one gate. `upstream`: segments whose gates are verified before its first state."""

    segment_id: str
    layer: int
    upstream: tuple[str, ...]
    states: tuple[State, ...]
    checks: tuple[Check, ...]
    gate: GateMethod
    seed_path: tuple[str, ...] = ("seed", "parameter_hash", "manifest_fingerprint")

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs of the states."""
        return tuple(output for state in self.states for output in state.outputs)

    @property
    def gate_id(self) -> str:
        """The id of its gate in the gate map."""
        return f"gate.layer{self.layer}.{self.segment_id}.validation"

    def bundle_root(self, identity: WorldIdentity) -> str:
        """The key prefix of its validation bundle."""
        return f"data/layer{self.layer}/{self.segment_id}/validation/manifest_fingerprint={identity.manifest_fingerprint}"
