"""Columns between frames and kernels: codes of words, numbers, weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.scenario import party_parts
from assay.engine.segment import Scene

Codes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def codes(frame: pl.DataFrame, name: str) -> Codes:
    """Places of the words of a dictionary column."""
    return frozen(frame[name].to_physical().to_numpy(), np.uint8)


def numbers(frame: pl.DataFrame, name: str) -> Ints:
    """An integer column without nulls."""
    return frozen(frame[name].to_numpy(), np.int64)


def running(weights: Mapping[str, float], words: Sequence[str]) -> list[float]:
    """Running sums of weights in the order of the words; a word without a weight is never chosen."""
    total, found = 0.0, []
    for word in words:
        total += weights.get(word, 0.0)
        found.append(total)
    return found


def choices(rows: Iterable[Mapping[str, float]], words: Sequence[str]) -> Floats:
    """Running sums, one choice after the other: choice i lies from i · len(words) on."""
    return frozen(np.array([value for row in rows for value in running(row, words)], np.float64), np.float64)


def chances(rows: Iterable[Mapping[str, float]], words: Sequence[str]) -> Floats:
    """As `choices`, where the first word has the chance that is left."""
    return choices(({words[0]: 1.0 - sum(row.get(word, 0.0) for word in words[1:]), **row} for row in rows), words)


def by_part(scene: Scene, output_id: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The parts of an input that is made by party, one after the other."""
    for part in range(party_parts(scene.parameters)):
        yield scene.table(output_id, part, columns)


def starts(sizes: Sequence[int]) -> Ints:
    """What comes before each of the sizes."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(sizes, np.int64))])[:-1]
