"""The documents at the root of a pack, as a check reads them: each is looked at by itself, and then whether they belong together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from assay.app.pack.interface import CATALOGUE, GATE_MAP, Interface, interface_of
from assay.app.pack.report import Issue, Severity
from assay.app.pack.sealed_pack import MANIFEST, RECEIPT, SEAL
from assay.app.stores.objects import LargeObjects
from assay.contracts.errors import Stop
from assay.contracts.ids import oracle_pack_id
from assay.contracts.reasons import Reason

_HEX64 = re.compile(r"[0-9a-f]{64}")
_KEY = ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")


class Look:
    """A store that is looked at, and the issues so far."""

    def __init__(self, store: LargeObjects) -> None:
        self.store = store
        self.issues: list[Issue] = []

    def wrong(self, reason: Reason, detail: str, where: str, severity: Severity = "ERROR") -> Reason:
        """Note an issue; gives its reason."""
        self.issues.append(Issue(reason, severity, detail, where))
        return reason

    def bytes_of(self, key: str) -> bytes | None:
        """An object, None if it is not there."""
        try:
            return self.store.read(key)
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Roots:
    """What the root says: the pack's id (computed again), its world, its outputs and gates; None for what cannot be known."""

    pack_id: str
    world_key: Mapping[str, Any] | None
    interface: Interface | None

    @property
    def tokens(self) -> dict[str, str]:
        """Token → its text in a path."""
        return {name: str(value) for name, value in (self.world_key or {}).items()}


def read_roots(look: Look, *, strict: bool) -> Roots:
    """Read and compare them. Raises Stop(PACK_NOT_FOUND) where none of them is there."""
    receipt, manifest, seal = (look.bytes_of(key) for key in (RECEIPT, MANIFEST, SEAL))
    if receipt is manifest is seal is None:
        remedy = "Name the folder, or s3://bucket/prefix, that `assay world generate --out` wrote; for an imported world give --store."
        raise Stop(Reason.PACK_NOT_FOUND, "there is no generated world", where=RECEIPT, remedy=remedy)
    world_key = _world_key(look, receipt)
    release, named, digests = _manifest(look, manifest, world_key)
    documents = [look.bytes_of(key) for key in (CATALOGUE, GATE_MAP)]
    found = [hashlib.sha256(data or b"").hexdigest() for data in documents]
    for key, data, digest, sealed in zip((CATALOGUE, GATE_MAP), documents, found, digests, strict=True):
        if data is None:
            look.wrong(Reason.OBJECT_MISSING, "an interface document is missing", key)
        elif sealed and digest != sealed:
            look.wrong(Reason.DIGEST_MISMATCH, "the document is not the one of the manifest", key)
    pack_id = oracle_pack_id(world_key, release or _release(receipt), *found) if world_key and None not in documents else ""
    if named and pack_id and named != pack_id:
        look.wrong(Reason.MANIFEST_MISMATCH, "the pack id is not that of its world, release and documents", MANIFEST)
    _seal(look, seal, pack_id, strict=strict)
    return Roots(pack_id, world_key, _interface(look, documents))


def _world_key(look: Look, data: bytes | None) -> dict[str, Any] | None:
    receipt = _object(data)
    if receipt is None:
        look.wrong(Reason.RUN_RECEIPT_UNREADABLE, "the engine's receipt is missing or cannot be read", RECEIPT)
        return None
    if not receipt.get("scenario_id"):
        look.wrong(Reason.SCENARIO_ID_MISSING, "the engine's receipt names no scenario", RECEIPT)
        return None
    found = {name: receipt.get(name) for name in _KEY}
    digests = all(_HEX64.fullmatch(str(found[name])) for name in ("manifest_fingerprint", "parameter_hash"))
    if not digests or type(found["seed"]) is not int or found["seed"] < 0 or not isinstance(found["scenario_id"], str):
        look.wrong(Reason.RUN_RECEIPT_INVALID, "the engine's receipt does not name its world", RECEIPT)
        return None
    return found


def _manifest(look: Look, data: bytes | None, world_key: Mapping[str, Any] | None) -> tuple[str, str, tuple[str, str]]:
    """Release, pack id and digests of the documents as the manifest names them; empty where it does not."""
    if data is None:
        look.wrong(Reason.PACK_MANIFEST_MISSING, "the pack has no manifest; its id is computed from its documents", MANIFEST, "WARN")
        return "", "", ("", "")
    manifest = _object(data) or {}
    names = ("engine_release", "oracle_pack_id", "catalogue_digest", "gate_map_digest")
    texts = [manifest.get(name) for name in names]
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(manifest.get("world_key"), dict):
        look.wrong(Reason.PACK_MANIFEST_INVALID, f"the manifest does not have {', '.join(names)} and world_key", MANIFEST)
        return "", "", ("", "")
    if world_key is not None and manifest["world_key"] != world_key:
        look.wrong(Reason.MANIFEST_MISMATCH, "the manifest and the engine's receipt name different worlds", MANIFEST)
    release, pack_id, catalogue, gate_map = map(str, texts)
    return release, pack_id, (catalogue, gate_map)


def _seal(look: Look, data: bytes | None, pack_id: str, *, strict: bool) -> None:
    seal = _object(data) or {}
    status = seal.get("seal_status")
    if status is None:
        look.wrong(Reason.PACK_NOT_SEALED, "the world has no valid seal", SEAL, "ERROR" if strict else "WARN")
    elif status != "SEALED_OK":
        look.wrong(Reason.PACK_SEALED_FAILED, f"the world is sealed as {status}", SEAL)
    elif pack_id and seal.get("oracle_pack_id") != pack_id:
        look.wrong(Reason.MANIFEST_MISMATCH, "the seal is that of another pack", SEAL)


def _interface(look: Look, documents: list[bytes | None]) -> Interface | None:
    catalogue, gate_map = documents
    if catalogue is None or gate_map is None:
        return None
    try:
        return interface_of(catalogue, gate_map)
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        what = f"catalogue or gate map cannot be read: {str(error).splitlines()[0]}"
        look.wrong(Reason.PACK_MANIFEST_INVALID, what, CATALOGUE)
        return None


def _release(receipt: bytes | None) -> str:
    return str((_object(receipt) or {}).get("engine_release", "unknown"))


def _object(data: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(data or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
