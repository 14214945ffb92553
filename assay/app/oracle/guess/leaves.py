"""A guess line by line: a place of the mapping, its value, and the reason. A value that the file does not tell is TODO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from assay.app.oracle.mapping import TODO


class Leaf(NamedTuple):
    """One line of a mapping. `ask`: what the reader has to say in place of TODO; `implied`: answer → a further line that it brings."""

    path: tuple[str, ...]
    value: Any
    why: str
    ask: str = ""
    implied: Mapping[str, Leaf] = MappingProxyType({})

    @property
    def place(self) -> str:
        """The line's name, such as `time.zone`."""
        return ".".join(self.path)


class Part(NamedTuple):
    """Lines of a mapping, the columns that they use, and notes for the reader."""

    leaves: list[Leaf]
    used: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Guess(NamedTuple):
    """All lines of a mapping, and notes for the reader."""

    leaves: list[Leaf]
    notes: list[str]

    @property
    def open(self) -> list[Leaf]:
        """The lines that the reader has to complete."""
        return [leaf for leaf in self.leaves if leaf.ask]


def todo(place: str, why: str, ask: str) -> Leaf:
    """A line that the reader has to complete."""
    return Leaf(tuple(place.split(".")), TODO, why, ask)


def leaf(place: str, value: Any, why: str) -> Leaf:
    """A line with its value."""
    return Leaf(tuple(place.split(".")), value, why)


def said(leaves: Iterable[Leaf], answers: dict[str, Any]) -> list[Leaf]:
    """The lines with the reader's answers (place → value) in place of TODO."""
    found: list[Leaf] = []
    apart: list[Leaf] = []
    for one in leaves:
        if not one.ask or one.place not in answers:
            found.append(one)
            continue
        answer = answers[one.place]
        found.append(one._replace(value=_answered(one.value, answer), why="said by the caller", ask="", implied={}))
        further = one.implied.get(str(answer))
        if further is not None:
            (found if further.path[0] == one.path[0] else apart).append(further)
    return [*found, *apart]


def _answered(value: Any, answer: Any) -> Any:
    """The answer; as the key of a mapping where TODO is one."""
    return {answer: value[TODO]} if isinstance(value, dict) else answer


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names or values for a sentence."""
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
