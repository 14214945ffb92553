"""Payments of a world that name none of some entities: nothing can be known of them from the payments before."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.sealed_world import SealedWorld


def rows_without(world: SealedWorld, entities: Sequence[str]) -> int:
    """How many payments have no id of any of these entities, which the world has columns for. Of no entities: none."""
    names = [f"entity.{name}" for name in entities]
    if not names:
        return 0
    parts = (world.stream_part(part) for part in world.manifest.stream_view)
    return sum(int(part.select(pl.all_horizontal(pl.col(names).is_null()).sum()).item()) for part in parts)
