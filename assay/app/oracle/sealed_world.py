"""A sealed world in the object store: what its manifest says, and the checks before anybody reads it.

Below `oracle/<manifest_fingerprint>/`: `stream_view/part-NNNNNN.parquet` (ids and live columns, by time and the order of the source),
`truth/part-NNNNNN.parquet` (labels apart), `_oracle_pack_manifest.json`, and `_SEALED.json`, which is written last.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from assay.app.oracle.mapping import Mapping
from assay.app.oracle.world_claims import claims, differing, ids_of, stored_rows
from assay.app.oracle.world_identity import MANIFEST_VERSION, manifest_fingerprint
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

SEALED_OK = "SEALED_OK"
_MANIFEST = "_oracle_pack_manifest.json"
_REIMPORT = "Remove the world's folder and import it again from its input file; a sealed world is never repaired."


class WorldPart(BaseModel):
    """One object of a world: its key below the world, rows, digest, first and last time (µs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    rows: int
    sha256: str
    min_ts_us: int
    max_ts_us: int


class TruthSummary(BaseModel):
    """How truth is told: which labels become assertions, after which delay (None: each has a time of its own)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int
    positives: int
    emitted: int
    emit: str
    source: str
    delay_us: int | None


class WorldManifest(BaseModel):
    """What a world consists of. `rows` is the denominator of every later count.

    `set_aside`: code → rows of the file that are not part of the world. A world of all rows does not speak of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: str
    oracle_pack_id: str
    manifest_fingerprint: str
    parameter_hash: str
    scenario_id: str
    seed: int
    output_id: str
    mapping: dict[str, Any]
    rows: int
    min_ts_us: int
    max_ts_us: int
    entities: list[str]
    attributes: list[str]
    currencies: list[str]
    kinds: dict[str, int]
    column_digests: dict[str, str]
    stream_view: list[WorldPart]
    truth: list[WorldPart]
    truth_summary: TruthSummary | None
    set_aside: Annotated[dict[Reason, Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = None

    @model_serializer(mode="wrap")
    def _as_sealed(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = written(self)
        return document if self.set_aside else {name: value for name, value in document.items() if name != "set_aside"}

    @property
    def aside(self) -> dict[str, int]:
        """Code → rows that were set aside at import."""
        return {reason.value: count for reason, count in (self.set_aside or {}).items()}

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the store."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 hex of the manifest's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


class SealedWorld:
    """A world that is sealed and whose manifest is consistent; `verify` also recomputes everything it says from the rows."""

    def __init__(self, store: ObjectStore, manifest: WorldManifest) -> None:
        self.store = store
        self.manifest = manifest
        self.root = world_root(manifest.manifest_fingerprint)

    def stream_part(self, part: WorldPart) -> pl.DataFrame:
        """Live rows of one part, each with its event id and the id it has in the file. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
        return self._frame(part)

    def truth(self) -> pl.DataFrame:
        """All of truth: event_id, ts_us, label (1 FRAUD, 0 LEGIT), observed_ts_us (null: after the delay), truth.<column>."""
        parts = [self._frame(part) for part in self.manifest.truth]
        return pl.concat(parts) if parts else pl.DataFrame(schema={"event_id": pl.String, "ts_us": pl.Int64, "label": pl.Int8})

    def verify(self) -> Iterator[WorldPart]:
        """Check digest, rows, time range and order of every part, giving each part when it is done; then that all of them
        together are the world of the manifest: a fingerprint is worth what its column digests are.

        Raises Stop: OBJECT_MISSING, DIGEST_MISMATCH, MANIFEST_MISMATCH, STREAM_VIEW_UNSORTED.
        """
        last = (-(2**63), 0)
        view, truth = [], []
        for part in self.manifest.stream_view:
            view.append(self._spanned(part))
            last = self._check_order(view[-1], last, part)
            yield part
        for part in self.manifest.truth:
            truth.append(self._spanned(part))
            yield part
        self._check_claims(view, truth)

    def _spanned(self, part: WorldPart) -> pl.DataFrame:
        frame = self._frame(part)
        if [len(frame), frame["ts_us"].min(), frame["ts_us"].max()] != [part.rows, part.min_ts_us, part.max_ts_us]:
            raise self._refusal(Reason.MANIFEST_MISMATCH, "rows or times of the part are not those of the manifest", part.key)
        return frame

    def _check_order(self, frame: pl.DataFrame, last: tuple[int, int], part: WorldPart) -> tuple[int, int]:
        ts, order = frame["ts_us"], frame["source_order"]
        before_ts, before = ts.shift(1, fill_value=last[0]), order.shift(1, fill_value=last[1])
        behind = (ts < before_ts) | ((ts == before_ts) & (order <= before))
        if behind.any():
            raise self._refusal(Reason.STREAM_VIEW_UNSORTED, f"row {behind.arg_max()} stands behind its predecessor", part.key)
        return int(ts[-1]), int(order[-1])

    def _check_claims(self, view: Sequence[pl.DataFrame], truth: Sequence[pl.DataFrame]) -> None:
        try:
            mapping = Mapping.model_validate(self.manifest.mapping)
            rows = stored_rows(view, truth, mapping)
            found = claims(rows.drop("event_id"), mapping, self.manifest.aside)
            same_ids = rows["event_id"].equals(ids_of(rows["source_id"], self.manifest.manifest_fingerprint, mapping))
        except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
            what = f"the stored rows are not of the manifest's form: {str(error).splitlines()[0]}"
            raise self._refusal(Reason.MANIFEST_MISMATCH, what, _MANIFEST) from None
        wrong = differing(self.manifest.model_dump(mode="json"), found) or ("" if same_ids else "event ids")
        if wrong:
            raise self._refusal(Reason.MANIFEST_MISMATCH, f"the stored rows do not have the manifest's {wrong}", _MANIFEST)

    def _frame(self, part: WorldPart) -> pl.DataFrame:
        return pl.read_parquet(io.BytesIO(self._checked(part)))

    def _checked(self, part: WorldPart) -> bytes:
        data = _read(self.store, f"{self.root}/{part.key}")
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise self._refusal(Reason.DIGEST_MISMATCH, "the part is not the one that was sealed", part.key)
        return data

    def _refusal(self, reason: Reason, what: str, key: str) -> Stop:
        return Stop(reason, what, where=f"{self.root}/{key}", remedy=_REIMPORT)


def world_root(fingerprint: str) -> str:
    """Key prefix of a world."""
    return f"oracle/{fingerprint}"


def seal_document(manifest: WorldManifest) -> bytes:
    """`_SEALED.json`: which pack is sealed, and the digest of its manifest."""
    seal = {"version": manifest.version, "oracle_pack_id": manifest.oracle_pack_id, "manifest_sha256": manifest.digest}
    return json.dumps({**seal, "seal_status": SEALED_OK}, sort_keys=True, indent=1).encode() + b"\n"


def find_world(store: ObjectStore, fingerprint: str) -> SealedWorld | None:
    """Open a world; None where there is none of this fingerprint, as of a live run. Raises Stop as `open_world` does otherwise."""
    try:
        return open_world(store, fingerprint)
    except Stop as refusal:
        if refusal.reason is Reason.PACK_NOT_FOUND:
            return None
        raise


def open_world(store: ObjectStore, fingerprint: str) -> SealedWorld:
    """Open a world by the fingerprint of its manifest.

    Raises Stop: PACK_NOT_FOUND, PACK_NOT_SEALED, PACK_MANIFEST_INVALID, MANIFEST_MISMATCH.
    """
    root = world_root(fingerprint)
    if next(iter(store.keys(root)), None) is None:
        raise Stop(Reason.PACK_NOT_FOUND, f"there is no world {fingerprint}", where=root, remedy="Import it with `assay oracle import`.")
    try:
        seal = json.loads(store.read(f"{root}/_SEALED.json"))
        status = seal.get("seal_status")
    except (FileNotFoundError, ValueError, AttributeError):
        status = None
    if status != SEALED_OK:
        raise Stop(
            Reason.PACK_NOT_SEALED,
            f"the world has no valid seal (seal_status {status})",
            where=f"{root}/_SEALED.json",
            remedy="Run the import again; it goes on where it was cut off.",
        )
    manifest = _manifest(store, root)
    _check_manifest(manifest, fingerprint, seal, root)
    return SealedWorld(store, manifest)


def _manifest(store: ObjectStore, root: str) -> WorldManifest:
    key = f"{root}/{_MANIFEST}"
    try:
        manifest = WorldManifest.model_validate_json(_read(store, key))
    except ValidationError as error:
        what = f"the manifest is not valid: {error.errors()[0]['msg']}"
        raise Stop(Reason.PACK_MANIFEST_INVALID, what, where=key, remedy=_REIMPORT) from None
    if manifest.version != MANIFEST_VERSION:
        what = f"the world is of version {manifest.version}, this release reads {MANIFEST_VERSION}"
        raise Stop(Reason.PACK_MANIFEST_INVALID, what, where=key, remedy=_REIMPORT)
    return manifest


def _check_manifest(manifest: WorldManifest, fingerprint: str, seal: dict[str, Any], root: str) -> None:
    computed = manifest_fingerprint(manifest.rows, manifest.column_digests, manifest.parameter_hash, manifest.aside)
    truth = manifest.truth_summary
    found = {
        "the fingerprint of its content": computed == manifest.manifest_fingerprint == fingerprint,
        "the number of rows of its parts": sum(part.rows for part in manifest.stream_view) == manifest.rows,
        "the number of labels of its parts": sum(part.rows for part in manifest.truth) == (truth.rows if truth else 0),
        "the manifest that was sealed": seal.get("manifest_sha256") == manifest.digest,
    }
    for name, equal in found.items():
        if not equal:
            where = f"{root}/{_MANIFEST}"
            raise Stop(Reason.MANIFEST_MISMATCH, f"the manifest does not agree with {name}", where=where, remedy=_REIMPORT)


def _read(store: ObjectStore, key: str) -> bytes:
    try:
        return store.read(key)
    except FileNotFoundError:
        raise Stop(Reason.OBJECT_MISSING, "an object of the world is missing", where=key, remedy=_REIMPORT) from None
