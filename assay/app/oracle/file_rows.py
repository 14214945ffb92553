"""Payments of a sealed world looked up by event id: the id that each has in its file, and other columns that only the world has."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.world_manifest import WorldPart

_ID, _TS = "event_id", "ts_us"


class FileRows:
    """The columns `names` of payments, as texts. The parts of the world that the last call needed stay in memory, and no others."""

    def __init__(self, world: SealedWorld, names: Sequence[str]) -> None:
        self._world, self._names = world, tuple(names)
        self._held: dict[str, pl.DataFrame] = {}

    def of(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The columns of each row of `asked`, which has event_id and ts_us (µs), in its order; null for a payment that is not of the world.

        Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH) for a damaged world.
        """
        self._held = {part.key: self._held[part.key] if part.key in self._held else self._read(part) for part in self._parts(asked[_TS])}
        schema = dict.fromkeys((_ID, *self._names), pl.String)
        rows = pl.concat([pl.DataFrame(schema=schema), *self._held.values()])
        return asked.select(_ID).join(rows, on=_ID, how="left", maintain_order="left").drop(_ID)

    def _parts(self, ts_us: pl.Series) -> list[WorldPart]:
        """Those that have a time between the first and the last of these."""
        if ts_us.is_empty():
            return []
        first, last = ts_us.sort()[[0, -1]]
        return [part for part in self._world.manifest.stream_view if part.max_ts_us >= first and part.min_ts_us <= last]

    def _read(self, part: WorldPart) -> pl.DataFrame:
        return self._world.stream_part(part).select(_ID, *(pl.col(name).cast(pl.String) for name in self._names))
