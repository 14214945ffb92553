"""A sealed world of somebody's payments: a pack with one gate, and the checks before anybody reads it.

Below `oracle/<manifest_fingerprint>/`: `stream_view/part-NNNNNN.parquet` (ids and live columns, by time and the order of the source),
`truth/part-NNNNNN.parquet` (labels apart), the bundle of the gate with `world_manifest.json`, and the documents of a pack.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl
from pydantic import ValidationError

from assay.app.oracle.import_interface import GATE_ID
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.world_claims import claims, differing, ids_of, stored_rows
from assay.app.oracle.world_identity import MANIFEST_VERSION, manifest_fingerprint
from assay.app.oracle.world_manifest import WorldManifest, WorldPart
from assay.app.oracle.world_pack import WORLD_MANIFEST, bundle_root, locators
from assay.app.pack.sealed_pack import PackPart, SealedPack, open_pack
from assay.app.stores.below import StoreBelow
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_REIMPORT = "Remove the world's folder and import it again from its input file; a sealed world is never repaired."


class SealedWorld:
    """A world that is sealed and whose manifest is consistent; `verify` also recomputes everything it says from the rows."""

    def __init__(self, store: ObjectStore, pack: SealedPack, manifest: WorldManifest) -> None:
        self.store = store
        self.manifest = manifest
        self.root = world_root(manifest.manifest_fingerprint)
        self.pack = pack

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
            raise self._refusal(Reason.MANIFEST_MISMATCH, what, self._manifest_key) from None
        wrong = differing(self.manifest.model_dump(mode="json"), found) or ("" if same_ids else "event ids")
        if wrong:
            raise self._refusal(Reason.MANIFEST_MISMATCH, f"the stored rows do not have the manifest's {wrong}", self._manifest_key)

    def _frame(self, part: WorldPart) -> pl.DataFrame:
        with _below(self.root):
            return pl.read_parquet(io.BytesIO(self.pack.read(PackPart(part.key, part.rows, part.sha256))))

    @property
    def _manifest_key(self) -> str:
        return f"{bundle_root(self.manifest.manifest_fingerprint)}/{WORLD_MANIFEST}"

    def _refusal(self, reason: Reason, what: str, key: str) -> Stop:
        return Stop(reason, what, where=f"{self.root}/{key}", remedy=_REIMPORT)


def world_root(fingerprint: str) -> str:
    """Key prefix of a world."""
    return f"oracle/{fingerprint}"


def find_world(store: ObjectStore, fingerprint: str) -> SealedWorld | None:
    """Open a world; None where there is none of this fingerprint, as of a live run. Raises Stop as `open_world` does otherwise."""
    try:
        return open_world(store, fingerprint)
    except Stop as refusal:
        if refusal.reason is Reason.PACK_NOT_FOUND:
            return None
        raise


def open_world(store: ObjectStore, fingerprint: str) -> SealedWorld:
    """Open a world by the fingerprint of its manifest, after its seal and its gate were verified.

    Raises Stop: PACK_NOT_FOUND, PACK_NOT_SEALED, PACK_SEALED_FAILED, PACK_MANIFEST_INVALID, REQUIRED_GATE_RECEIPT_MISSING,
    GATE_EVIDENCE_MISMATCH, OBJECT_MISSING, DIGEST_MISMATCH, MANIFEST_MISMATCH.
    """
    root = world_root(fingerprint)
    if next(iter(store.keys(root)), None) is None:
        raise Stop(Reason.PACK_NOT_FOUND, f"there is no world {fingerprint}", where=root, remedy="Import it with `assay oracle import`.")
    with _below(root):
        pack = open_pack(StoreBelow(store, root))
        manifest = _manifest(pack, fingerprint)
        _check_manifest(pack, manifest, fingerprint)
    return SealedWorld(store, pack, manifest)


@contextmanager
def _below(root: str) -> Iterator[None]:
    """A store may hold many worlds: a refusal names the world's object in it, and says how such a world comes back."""
    try:
        yield
    except Stop as stop:
        cut_off = stop.reason in (Reason.PACK_NOT_FOUND, Reason.PACK_NOT_SEALED)
        reason = Reason.PACK_NOT_SEALED if cut_off else stop.reason
        remedy = "Run the import again; it goes on where it was cut off." if cut_off else _REIMPORT
        raise Stop(reason, stop.what, where=f"{root}/{stop.where}", remedy=remedy) from None


def _manifest(pack: SealedPack, fingerprint: str) -> WorldManifest:
    key = f"{bundle_root(fingerprint)}/{WORLD_MANIFEST}"
    pack.listed(GATE_ID)  # verified before anything of the bundle is read
    try:
        manifest = WorldManifest.model_validate_json(pack.store.read(key))
    except FileNotFoundError:
        raise Stop(Reason.GATE_EVIDENCE_MISMATCH, "the gate's bundle does not hold the world's manifest", where=key) from None
    except ValidationError as error:
        raise Stop(Reason.PACK_MANIFEST_INVALID, f"the manifest is not valid: {error.errors()[0]['msg']}", where=key) from None
    if manifest.version != MANIFEST_VERSION:
        what = f"the world is of version {manifest.version}, this release reads {MANIFEST_VERSION}"
        raise Stop(Reason.PACK_MANIFEST_INVALID, what, where=key)
    return manifest


def _check_manifest(pack: SealedPack, manifest: WorldManifest, fingerprint: str) -> None:
    computed = manifest_fingerprint(manifest.rows, manifest.column_digests, manifest.parameter_hash, manifest.aside)
    truth = manifest.truth_summary
    found = {
        "the fingerprint of its content": computed == manifest.manifest_fingerprint == fingerprint,
        "the number of rows of its parts": sum(part.rows for part in manifest.stream_view) == manifest.rows,
        "the number of labels of its parts": sum(part.rows for part in manifest.truth) == (truth.rows if truth else 0),
        "the pack that was sealed": (pack.identity.pack_id, pack.identity.world_key) == (manifest.oracle_pack_id, manifest.world_key),
        "the locators of its gate": pack.listed(GATE_ID) == list(locators(manifest)),
    }
    for name, equal in found.items():
        if not equal:
            where = f"{bundle_root(fingerprint)}/{WORLD_MANIFEST}"
            raise Stop(Reason.MANIFEST_MISMATCH, f"the manifest does not agree with {name}", where=where)
