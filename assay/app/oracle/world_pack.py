"""An imported world as a pack: receipt, interface documents, the bundle of its gate with index and flag, manifest, and seal, in this order.

Whatever is cut off before the seal is not read, and is written again by the next import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from assay.app.oracle.import_interface import BUNDLE, GATE, SEGMENT, digests, documents, truth_output
from assay.app.oracle.world_identity import RELEASE
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.pack.interface import CATALOGUE, GATE_MAP
from assay.app.pack.sealed_pack import MANIFEST, OUTPUTS, RECEIPT, SEAL
from assay.app.stores.below import StoreBelow
from assay.contracts import instants
from assay.contracts.gates import FLAG, flag_files
from assay.contracts.ids import engine_run_id

WORLD_MANIFEST: Final = "world_manifest.json"
PACK_VERSION: Final = "v0"


def bundle_root(fingerprint: str) -> str:
    """Where the bundle of the gate lies, below the world."""
    return BUNDLE.format(manifest_fingerprint=fingerprint)


def write_pack(store: StoreBelow, manifest: WorldManifest, now_us: int) -> None:
    """Write everything but the parts, the seal last. `store`: that of the world."""
    key, now = manifest.world_key, instants.text(now_us)
    run_id = engine_run_id(manifest.seed, manifest.parameter_hash, manifest.manifest_fingerprint, manifest.scenario_id)
    store.replace(RECEIPT, _json({"run_id": run_id, **key, "engine_release": RELEASE, "created_utc": now}))
    interface = documents(manifest.output_id, manifest.column_digests)
    store.replace(CATALOGUE, interface[0])
    store.replace(GATE_MAP, interface[1])
    write_gate(store, manifest.manifest_fingerprint, bundle_of(manifest))
    catalogue, gate_map = digests(interface)
    named = {"version": PACK_VERSION, "oracle_pack_id": manifest.oracle_pack_id}
    sums = {"catalogue_digest": catalogue, "gate_map_digest": gate_map}
    store.replace(MANIFEST, _json({**named, "world_key": key, "engine_release": RELEASE, **sums, "created_at_utc": now}))
    store.replace(SEAL, _json({**named, "seal_status": "SEALED_OK", "sealed_at_utc": now}))


def write_gate(store: StoreBelow, fingerprint: str, bundle: Mapping[str, bytes]) -> None:
    """Write a bundle, its index, and the flag."""
    root = bundle_root(fingerprint)
    index, flag = flag_files(GATE, bundle, fingerprint, SEGMENT)
    for name, data in {**bundle, GATE.index_name: index, FLAG: flag}.items():
        store.replace(f"{root}/{name}", data)


def bundle_of(manifest: WorldManifest) -> dict[str, bytes]:
    """Files of the bundle: locators of all parts, the world's manifest, and what the import has checked."""
    return {
        OUTPUTS: _json(list(locators(manifest))),
        WORLD_MANIFEST: manifest.to_bytes(),
        "validation_report.json": _json({"checks": _checks(manifest)}),
    }


def locators(manifest: WorldManifest) -> Iterator[dict[str, Any]]:
    """One entry per part: its locator, number and rows."""
    for output_id, parts in ((manifest.output_id, manifest.stream_view), (truth_output(manifest.output_id), manifest.truth)):
        for number, part in enumerate(parts):
            digest = {"algo": "sha256", "hex": part.sha256}
            locator = {"output_id": output_id, "path": part.key, **manifest.world_key, "content_digest": digest}
            yield {"locator": locator, "part": number, "rows": part.rows}


def _checks(manifest: WorldManifest) -> list[dict[str, Any]]:
    """Nothing is sealed before all of these hold; the figures are for readers."""
    labels = manifest.truth_summary
    told = (
        ("every_row_is_a_payment", {"rows": manifest.rows, "set_aside": sum(manifest.aside.values())}),
        ("rows_are_in_order_of_time", {"min_ts_us": manifest.min_ts_us, "max_ts_us": manifest.max_ts_us}),
        ("every_label_has_a_payment", {"labels": labels.rows if labels else 0}),
    )
    return [{"check": name, "outcome": "PASS", "measured": measured, "bounds": {}} for name, measured in told]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
