"""What the campaigns of a world did, and how far that is from what their templates aim at. Floats here are for readers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.world.publication import Publication
from assay.engine.behaviour.campaign_statistics import FIGURES, campaign_statistics

F64 = NDArray[np.float64]
CATALOGUE, PLAN = "s3_campaign_catalogue_6B", "s3_campaign_plan_6B"
TARGETS = tuple(f"target_{name}" for name in FIGURES)
#: seeds that have a template, at least, for a distance between seeds
SEEDS_LEAST = 3
_NEVER = 1e-9


@dataclass(frozen=True)
class Distance:
    """How far the campaigns of a template are from their target, beside how far those of other seeds are from one another.

    Both are distances of `distance`. seeds: how many have the template, that of the world itself among them.
    """

    label: str
    to_target: float
    between_seeds: float
    seeds: int

    @property
    def ratio(self) -> float:
        """The first over the second: what the corridor `target_distance` bounds."""
        return self.to_target / max(self.between_seeds, _NEVER)


def campaign_figures(view: Publication) -> pl.DataFrame:
    """What the campaigns of each template did, and what the template aims at: campaign_label, flows, and each figure with its target."""
    catalogue = view.read(CATALOGUE, None, ("campaign_id", "campaign_label", *TARGETS)).with_columns(
        pl.col("campaign_label").cast(pl.String)
    )
    plan = view.read(PLAN, None, None).join(catalogue.select("campaign_id", "campaign_label"), on="campaign_id", how="left")
    aims = catalogue.group_by("campaign_label").agg(pl.col(name).first() for name in TARGETS)
    return campaign_statistics(plan).join(aims, on="campaign_label", how="left")


def distance(found: F64, other: F64) -> float:
    """The mean over figures of |a - b| / ((a + b) / 2): 0 for equal figures, 2 against figures of 0."""
    both = found + other
    return float(np.mean(np.divide(2 * np.abs(found - other), both, out=np.zeros_like(both), where=both > 0)))


def distances(own: pl.DataFrame, others: Sequence[pl.DataFrame]) -> Iterator[Distance]:
    """By template, in order of labels. own, others: of `campaign_figures`.

    between_seeds: the mean over all pairs of seeds that have the template, own among them. A template that own lacks has figures of 0.
    """
    seeds = [_by_label(frame, FIGURES) for frame in (own, *others)]
    aims = {label: aim for frame in (own, *others) for label, aim in _by_label(frame, TARGETS).items()}
    for label, aim in sorted(aims.items()):
        figures = [of_seed[label] for of_seed in seeds if label in of_seed]
        pairs = [distance(one, other) for one, other in combinations(figures, 2)]
        between = float(np.mean(pairs)) if len(figures) >= SEEDS_LEAST else 0.0
        yield Distance(label, distance(seeds[0].get(label, np.zeros(len(FIGURES))), aim), between, len(figures))


def _by_label(frame: pl.DataFrame, columns: Sequence[str]) -> Mapping[str, F64]:
    """A figure that nothing could be measured for is 0."""
    values = frame.select(pl.col(*columns).cast(pl.Float64).fill_null(0.0)).to_numpy()
    return dict(zip(frame["campaign_label"].to_list(), values, strict=True))
