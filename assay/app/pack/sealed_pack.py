"""A sealed pack as its readers see it: no seal, no read; no passed gate, no read; no byte that is not the published one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from assay.app.pack.interface import CATALOGUE, GATE_MAP, CatalogueOutput, Gate, Interface, interface_of
from assay.app.pack.locators import located
from assay.app.stores.objects import ObjectStore
from assay.app.stores.published import published_bytes
from assay.contracts.errors import Stop
from assay.contracts.gates import gate_status, listed
from assay.contracts.reasons import Reason

RECEIPT, MANIFEST, SEAL, OUTPUTS = "run_receipt.json", "_oracle_pack_manifest.json", "_SEALED.json", "outputs.json"
AGAIN = "Make the world again in another folder; a published one is never repaired."


@dataclass(frozen=True)
class PackPart:
    """A file of an output: its key in the pack, rows, and sha256 of its bytes in hex."""

    path: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class PackIdentity:
    """Which world a pack holds. `world_key`: fingerprint, parameter hash, scenario and seed. `release`: of the engine that made it."""

    pack_id: str
    run_id: str
    world_key: Mapping[str, Any]
    release: str


class SealedPack:
    """A pack whose seal, manifest and interface documents agree."""

    def __init__(self, store: ObjectStore, identity: PackIdentity, interface: Interface) -> None:
        self.store, self.identity, self.interface = store, identity, interface
        self._passed: dict[str, list[dict[str, Any]]] = {}

    def output(self, output_id: str) -> CatalogueOutput:
        """An output of the catalogue. Raises Stop(OUTPUT_UNKNOWN)."""
        found = self.interface.outputs.get(output_id)
        if found is None:
            remedy = f"Name one of: {', '.join(self.interface.outputs)}."
            raise Stop(Reason.OUTPUT_UNKNOWN, f"the catalogue has no output {output_id}", where=CATALOGUE, remedy=remedy)
        return found

    def parts(self, output: CatalogueOutput) -> list[PackPart]:
        """The files of an output in the order of their paths, after its gates and all upstream of them were verified.

        Raises Stop(REQUIRED_GATE_RECEIPT_MISSING, GATE_EVIDENCE_MISMATCH, OUTPUT_MISSING).
        """
        try:
            entries = [entry for gate in self.interface.gates_of(output) for entry in self._verified(gate)]
            found = [
                PackPart(entry["locator"]["path"], entry["rows"], entry["locator"]["content_digest"]["hex"])
                for entry in entries
                if entry["locator"]["output_id"] == output.output_id
            ]
        except (KeyError, TypeError) as error:
            raise Stop(Reason.PACK_MANIFEST_INVALID, f"its locators cannot be read: {error}", where=GATE_MAP, remedy=AGAIN) from None
        if not found:
            raise Stop(Reason.OUTPUT_MISSING, f"no gate lists a file of {output.output_id}", where=CATALOGUE, remedy=AGAIN)
        return sorted(found, key=lambda part: part.path)

    def listed(self, gate_id: str) -> list[dict[str, Any]]:
        """What the bundle of a gate lists, after the gate was verified: locator, part and rows of each file.

        Raises Stop(REQUIRED_GATE_RECEIPT_MISSING, GATE_EVIDENCE_MISMATCH).
        """
        gate = self.interface.gates.get(gate_id)
        if gate is None:
            what = f"the gate map has no {gate_id}"
            raise Stop(Reason.REQUIRED_GATE_RECEIPT_MISSING, what, where=GATE_MAP, remedy=AGAIN)
        return self._verified(gate)

    def read(self, part: PackPart) -> bytes:
        """The bytes of a file. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
        return published_bytes(self.store, part.path, part.sha256, "a part of the world", AGAIN)

    def _verified(self, gate: Gate) -> list[dict[str, Any]]:
        """What the bundle of a passed gate lists."""
        if gate.gate_id not in self._passed:
            root = gate.bundle_root.format_map({name: str(value) for name, value in self.identity.world_key.items()})
            found = gate_status(gate.method, self.store.read, root)
            if found.status != "PASS":
                reason = Reason.REQUIRED_GATE_RECEIPT_MISSING if found.status == "missing" else Reason.GATE_EVIDENCE_MISMATCH
                raise Stop(reason, f"{gate.gate_id} is {found.status}: {found.detail}", where=root, remedy=AGAIN)
            key = f"{root}/{OUTPUTS}"
            if (key if gate.method.pack_paths else OUTPUTS) not in listed(gate.method, self.store.read(f"{root}/{gate.method.index_name}")):
                raise Stop(Reason.GATE_EVIDENCE_MISMATCH, f"{gate.gate_id} does not cover its list of outputs", where=root, remedy=AGAIN)
            try:
                self._passed[gate.gate_id] = located(self.store.read(key))
            except ValueError as error:
                raise Stop(Reason.GATE_EVIDENCE_MISMATCH, f"its list of files cannot be read: {error}", where=key, remedy=AGAIN) from None
        return self._passed[gate.gate_id]


def open_pack(store: ObjectStore) -> SealedPack:
    """Open a pack. Raises Stop(PACK_NOT_FOUND, PACK_NOT_SEALED, PACK_SEALED_FAILED, PACK_MANIFEST_INVALID, DIGEST_MISMATCH)."""
    receipt, manifest = _document(store, RECEIPT, Reason.PACK_NOT_FOUND), _document(store, MANIFEST, Reason.PACK_NOT_SEALED)
    sealed = sealed_as(store)
    try:
        identity = PackIdentity(manifest["oracle_pack_id"], receipt["run_id"], manifest["world_key"], manifest["engine_release"])
        if sealed != identity.pack_id:
            raise ValueError("the seal is that of another pack")
        catalogue = published_bytes(store, CATALOGUE, manifest["catalogue_digest"], "an interface document", AGAIN)
        gate_map = published_bytes(store, GATE_MAP, manifest["gate_map_digest"], "an interface document", AGAIN)
        return SealedPack(store, identity, interface_of(catalogue, gate_map))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        what = f"the pack's documents do not belong together: {error}"
        raise Stop(Reason.PACK_MANIFEST_INVALID, what, where=MANIFEST, remedy=AGAIN) from None


def sealed_as(store: ObjectStore) -> str:
    """The pack id in the seal of a pack. Raises Stop(PACK_NOT_SEALED, PACK_SEALED_FAILED, PACK_MANIFEST_INVALID)."""
    seal = _document(store, SEAL, Reason.PACK_NOT_SEALED)
    if seal.get("seal_status") != "SEALED_OK":
        what = f"the world is sealed as {seal.get('seal_status')}"
        raise Stop(Reason.PACK_SEALED_FAILED, what, where=SEAL, remedy="A world whose seal failed is never read; make it again elsewhere.")
    if not isinstance(seal.get("oracle_pack_id"), str):
        raise Stop(Reason.PACK_MANIFEST_INVALID, "the seal names no pack", where=SEAL, remedy=AGAIN)
    return str(seal["oracle_pack_id"])


def _document(store: ObjectStore, key: str, absent: Reason) -> dict[str, Any]:
    try:
        found = json.loads(store.read(key))
    except FileNotFoundError:
        remedy = "Name the folder of `assay world generate --out`; a call that was cut off goes on when it is run again."
        raise Stop(absent, "there is no sealed pack", where=key, remedy=remedy) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Stop(Reason.PACK_MANIFEST_INVALID, "the document cannot be read", where=key, remedy=AGAIN)
    return found
