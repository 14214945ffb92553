"""Parts of a world in an object store: written once, located by digest, and checked at every read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import polars as pl

from assay.app.pack.sealed_pack import AGAIN
from assay.app.stores.objects import ObjectStore
from assay.app.stores.published import publish, published_bytes
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.identity import WorldIdentity
from assay.engine.output import Output

ROW_GROUP = 262_144
_ZSTD_LEVEL = 1
#: `read` keeps an output for further readers up to this size; beyond it, memory would grow with the world
_KEPT_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Published:
    """A part that lies in the store."""

    output_id: str
    part: int
    path: str
    rows: int
    sha256: str
    identity: WorldIdentity

    def locator(self, output: Output) -> dict[str, Any]:
        """The output locator, of its closed schema."""
        tokens: dict[str, Any] = {**self.identity.tokens(), "seed": self.identity.seed}
        scope = {name: tokens[name] for name in output.tokens}
        digest = {"algo": "sha256", "hex": self.sha256}
        return {"output_id": self.output_id, "path": self.path, **scope, "content_digest": digest}


class Publication:
    """The outputs of one world, by id: parts are published, found and read. Threads may share it."""

    def __init__(self, store: ObjectStore, identity: WorldIdentity, outputs: Mapping[str, Output]) -> None:
        self._store, self._identity, self._outputs = store, identity, outputs
        self._parts: dict[str, dict[int, Published]] = {}
        self._whole: dict[tuple[str, tuple[str, ...] | None], pl.DataFrame] = {}
        self._lock = Lock()

    def publish(self, output: Output, part: int, made: pl.DataFrame) -> Published:
        """Write a part durably. Raises Stop(ENGINE_OUTPUT_INVALID, ENGINE_OUTPUT_CONFLICT); equal bytes of an earlier try are kept."""
        buffer = io.BytesIO()
        frame = output.conformed(made, self._identity)
        frame.write_parquet(buffer, compression="zstd", compression_level=_ZSTD_LEVEL, row_group_size=ROW_GROUP)
        path = output.path(self._identity, part)
        write_once(self._store, path, buffer.getvalue())
        published = Published(output.output_id, part, path, len(made), hashlib.sha256(buffer.getbuffer()).hexdigest(), self._identity)
        self.add(published)
        return published

    def add(self, published: Published) -> None:
        """Know a part that lies in the store already."""
        with self._lock:
            self._parts.setdefault(published.output_id, {})[published.part] = published

    def parts(self, output_id: str) -> list[Published]:
        """The parts of an output in their order."""
        with self._lock:
            return [part for _, part in sorted(self._parts.get(output_id, {}).items())]

    def read(self, output_id: str, part: int | None, columns: Sequence[str] | None) -> pl.DataFrame:
        """Rows of one part, or of all. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
        if part is not None:
            return self._frame(self._parts[output_id][part], columns)
        chosen = None if columns is None else tuple(columns)
        with self._lock:
            found = self._whole.get((output_id, chosen))
        if found is None:
            parts = self.parts(output_id)
            if not parts:
                where = self._outputs[output_id].path_template
                raise Stop(Reason.OBJECT_MISSING, f"{output_id} has no part", where=where, remedy=AGAIN)
            found = pl.concat([self._frame(published, columns) for published in parts], rechunk=True)
            if found.estimated_size() <= _KEPT_BYTES:
                with self._lock:
                    self._whole[output_id, chosen] = found
        return found

    def forget(self) -> None:
        """Give up the rows that `read` keeps for further readers."""
        with self._lock:
            self._whole.clear()

    def _frame(self, published: Published, columns: Sequence[str] | None) -> pl.DataFrame:
        return pl.read_parquet(io.BytesIO(self.checked(published)), columns=None if columns is None else list(columns))

    def checked(self, published: Published) -> bytes:
        """The bytes of a part. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
        return published_bytes(self._store, published.path, published.sha256, "a part of the world", AGAIN)


def write_once(store: ObjectStore, key: str, data: bytes) -> None:
    """Write an object; one of equal bytes may be there already. Raises Stop(ENGINE_OUTPUT_CONFLICT)."""
    if not publish(store, key, data):
        what = "another object was published here; an output is never overwritten"
        remedy = "Choose an empty folder. Equal identities give equal bytes, so another release or damage made these."
        raise Stop(Reason.ENGINE_OUTPUT_CONFLICT, what, where=key, remedy=remedy)
