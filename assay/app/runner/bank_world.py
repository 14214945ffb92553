"""Evidence of a sealed bank: its outputs and gates by its own interface documents, every gate and every byte computed again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import polars as pl

from assay.app.pack.interface import Interface
from assay.app.pack.sealed_pack import MANIFEST, PackPart, SealedPack, open_pack
from assay.app.runner.evidence import GateSeen, Located, Seen
from assay.app.runner.request import RunRequest
from assay.app.stores.objects import LargeObjects
from assay.contracts.errors import Stop
from assay.contracts.gates import Status, gate_status
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import FRAUD, MODES, mode_of

#: what a run streams when its request names no outputs
TRAFFIC: Final = (FRAUD.events,)
#: the events of either traffic
EVENTS: Final = frozenset(mode.events for mode in MODES.values())
_ABSENT: Final = frozenset({Reason.PACK_NOT_FOUND, Reason.PACK_NOT_SEALED})
_KEYS: Final = ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")
#: a digest that is another one contradicts its flag; only a seal can say that a world failed
_STATUS: Final[dict[Status, Status]] = {"PASS": "PASS", "missing": "missing", "conflict": "conflict", "FAIL": "conflict"}


class BankWorld:
    """The port `Evidence` over the folder of one bank. `interface`: the documents of this release, for plans before the bank is there."""

    def __init__(self, store: LargeObjects, interface: Interface) -> None:
        self._store, self._interface = store, interface

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """The outputs with their gates and all upstream of them. Raises Stop(OUTPUT_UNKNOWN, TRAFFIC_MODES_MIXED)."""
        wanted = {}
        mode_of(request.output_ids)
        for output_id in request.output_ids or TRAFFIC:
            output = self._interface.outputs.get(output_id)
            if output is None:
                raise Stop(
                    Reason.OUTPUT_UNKNOWN, f"the catalogue has no output {output_id}", where="output_ids", remedy="Name another one."
                )
            wanted[output_id] = tuple(gate.gate_id for gate in self._interface.gates_of(output))
        return wanted

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """Verify seal, gates, and files of the outputs. Raises Stop(RUN_SCOPE_MISMATCH), Retry(STORE_SILENT)."""
        wanted = self.outputs_of(request)
        gate_ids = sorted({gate for gates in wanted.values() for gate in gates})
        try:
            pack = open_pack(self._store)
        except Stop as refusal:
            return _unopened(refusal, gate_ids)
        _refuse_other_world(pack, request)
        gates = {gate_id: self._gate(pack, gate_id) for gate_id in gate_ids}
        if any(gate.status != "PASS" for gate in gates.values()):
            return Seen(gates=gates)
        found: dict[str, Located] = {}
        for output_id in wanted:
            own = pack.output(output_id).gates[0]
            try:
                found[output_id] = self._located(pack, output_id, keep)
            except Stop as refusal:
                gates[own] = GateSeen(own, "conflict", why=_told(refusal))
        return Seen(found, gates, _facts(pack, found, request.engine_run_root), *self._span(request, found, min(wanted)))

    def _gate(self, pack: SealedPack, gate_id: str) -> GateSeen:
        gate = pack.interface.gates[gate_id]
        root = gate.bundle_root.format_map({name: str(value) for name, value in pack.identity.world_key.items()})
        seen = gate_status(gate.method, self._store.read, root)
        return GateSeen(gate_id, _STATUS[seen.status], seen.digest, f"{seen.detail} (at {root})" if seen.detail else "")

    def _located(self, pack: SealedPack, output_id: str, keep: Callable[[], object]) -> Located:
        parts = pack.parts(pack.output(output_id))
        for part in parts:
            keep()
            self._refuse_other_bytes(part)
        files = tuple((part.path, part.rows, part.sha256) for part in parts)
        return Located(output_id, f"{parts[0].path.rpartition('/')[0]}/", sum(part.rows for part in parts), files)

    def _refuse_other_bytes(self, part: PackPart) -> None:
        try:
            digest = hashlib.sha256(self._store.view(part.path)).hexdigest()
        except FileNotFoundError:
            raise Stop(Reason.OBJECT_MISSING, "a file of the world is missing", where=part.path) from None
        if digest != part.sha256:
            raise Stop(Reason.DIGEST_MISMATCH, "a file is not the published one", where=part.path)

    def _span(self, request: RunRequest, found: dict[str, Located], first: str) -> tuple[int, int]:
        """First and last time of the first output's rows; the window of the request for an output without times."""
        spans = [self._times(path) for path, _, _ in found[first].files] if first in found else []
        times = [ts_us for span in spans for ts_us in span]
        return (min(times), max(times)) if times else (request.window_start_us, request.window_end_us)

    def _times(self, path: str) -> Sequence[int]:
        data = io.BytesIO(self._store.read(path))
        if "ts_utc" not in pl.read_parquet_schema(data):
            return ()
        times = pl.read_parquet(data, columns=["ts_utc"])["ts_utc"].cast(pl.Int64)
        return () if times.is_empty() else (int(times.min()), int(times.max()))  # type: ignore[arg-type]


def _unopened(refusal: Stop, gate_ids: Sequence[str]) -> Seen:
    """What a pack that cannot be opened says of its gates."""
    status: Status = "conflict"
    if refusal.reason in _ABSENT:
        status = "missing"
    elif refusal.reason is Reason.PACK_SEALED_FAILED:
        status = "FAIL"
    return Seen(gates={gate_id: GateSeen(gate_id, status, why=_told(refusal)) for gate_id in gate_ids})


def _refuse_other_world(pack: SealedPack, request: RunRequest) -> None:
    for name in _KEYS:
        ours, theirs = vars(request)[name], pack.identity.world_key[name]
        if ours != theirs:
            what = f"the run's {name} is {ours}, the world's is {theirs}"
            raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=MANIFEST, remedy="Take the pins of a run from the receipt of its world.")


def _facts(pack: SealedPack, found: dict[str, Located], root: str) -> dict[str, Any]:
    roles = {output_id: "business_traffic" if output_id in EVENTS else "non_traffic" for output_id in found}
    rows = {output_id: located.rows for output_id, located in found.items()}
    named = {"oracle_pack_id": pack.identity.pack_id, "manifest_ref": MANIFEST}
    place = {"engine_release": pack.identity.release, **({"engine_run_root": root} if root else {})}
    return {"oracle_pack_ref": {**named, **place}, "output_roles": roles, "rows": rows}


def _told(refusal: Stop) -> str:
    return f"{refusal.reason.value}: {refusal.what} (at {refusal.where})"
