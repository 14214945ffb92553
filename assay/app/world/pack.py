"""The root of a world's folder: the engine's receipt, the interface pack, the pack's manifest, and the seal, which is written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import yaml

from assay.app.pack.interface import Interface, interface_of
from assay.app.pack.sealed_pack import MANIFEST, RECEIPT, SEAL
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.app.world.bundles import json_bytes, passed
from assay.app.world.publication import write_once
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.ids import oracle_pack_id
from assay.contracts.reasons import Reason
from assay.engine.graph import SEGMENTS
from assay.engine.identity import RELEASE, WorldIdentity
from assay.engine.interface import CATALOGUE, GATE_MAP, catalogue, gate_map
from assay.engine.segment import Segment

VERSION = "v0"
_TIMES = ("created_utc", "created_at_utc", "sealed_at_utc")


def write_receipt(store: ObjectStore, identity: WorldIdentity, scale: str, now_us: int) -> None:
    """The engine's run receipt, before anything is made. Raises Stop(MANIFEST_MISMATCH) in the folder of another world."""
    receipt = {
        "run_id": identity.run_id,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "seed": identity.seed,
        "scenario_id": identity.scenario_id,
        "scale": scale,
        "engine_release": RELEASE,
    }
    _create(store, RECEIPT, receipt, "created_utc", now_us)


def seal(store: ObjectStore, segments: Sequence[Segment], identity: WorldIdentity, now_us: int) -> str:
    """Write interface pack, manifest and seal of a world all of whose gates pass; gives its pack id.

    Raises Stop(REQUIRED_GATE_RECEIPT_MISSING, GATE_EVIDENCE_MISMATCH, MANIFEST_MISMATCH).
    """
    for segment in segments:
        passed(store, segment, identity)
    digests = []
    for name, data in _documents(segments).items():
        write_once(store, f"interface/{name}", data)
        digests.append(hashlib.sha256(data).hexdigest())
    world_key = {name: identity.tokens()[name] for name in ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")}
    pack_id = oracle_pack_id(world_key, RELEASE, digests[0], digests[1])
    manifest = {
        "version": VERSION,
        "oracle_pack_id": pack_id,
        "world_key": {**world_key, "seed": identity.seed},
        "engine_release": RELEASE,
        "catalogue_digest": digests[0],
        "gate_map_digest": digests[1],
    }
    _create(store, MANIFEST, manifest, "created_at_utc", now_us)
    _create(store, SEAL, {"version": VERSION, "oracle_pack_id": pack_id, "seal_status": "SEALED_OK"}, "sealed_at_utc", now_us)
    return pack_id


def shipped_interface() -> Interface:
    """Outputs and gates of the worlds that this version makes, before one is made."""
    return interface_of(*_documents(SEGMENTS).values())


def _documents(segments: Sequence[Segment]) -> dict[str, bytes]:
    documents = {CATALOGUE: catalogue(segments), GATE_MAP: gate_map(segments)}
    return {name: yaml.safe_dump(document, sort_keys=False, width=140).encode() for name, document in documents.items()}


def identity_in(store: ObjectStore) -> tuple[WorldIdentity, str]:
    """Identity and scale of the world of a folder. Raises Stop(PACK_NOT_FOUND, RUN_RECEIPT_INVALID)."""
    try:
        receipt = json.loads(store.read(RECEIPT))
    except FileNotFoundError:
        remedy = "Name the folder that `assay world generate --out` wrote."
        raise Stop(Reason.PACK_NOT_FOUND, "there is no generated world", where=RECEIPT, remedy=remedy) from None
    except ValueError:
        receipt = None
    try:
        identity = WorldIdentity(receipt["seed"], receipt["parameter_hash"], receipt["manifest_fingerprint"], receipt["scenario_id"])
        return identity, str(receipt["scale"])
    except (TypeError, KeyError):
        remedy = "Make the world again in another folder; a published one is never repaired."
        raise Stop(Reason.RUN_RECEIPT_INVALID, "the engine's receipt cannot be read", where=RECEIPT, remedy=remedy) from None


def _create(store: ObjectStore, key: str, document: dict[str, Any], stamp: str, now_us: int) -> None:
    """Write a document with its time; one that is there must be the same but for the time."""
    try:
        store.create(key, json_bytes({**document, stamp: instants.text(now_us)}))
    except ObjectExists:
        try:
            held = json.loads(store.read(key))
            same = {name: value for name, value in held.items() if name not in _TIMES} == document
        except (ValueError, AttributeError):
            same = False
        if not same:
            remedy = "Choose an empty folder: a world is never written over another."
            raise Stop(Reason.MANIFEST_MISMATCH, "the folder holds another world", where=key, remedy=remedy) from None
