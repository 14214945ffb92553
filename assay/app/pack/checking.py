"""`assay oracle check` of a generated pack: every gate is computed again, and every byte of the outputs that were asked for is read.

It reads the pack's own documents, tells all that is wrong instead of the first, and knows nothing of the engine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from assay.app.pack.interface import CATALOGUE, GATE_MAP, Gate
from assay.app.pack.locators import located
from assay.app.pack.report import OutputVerdict, PackReport
from assay.app.pack.roots import Look, Roots, read_roots
from assay.app.pack.sealed_pack import OUTPUTS, PackPart
from assay.app.progress import unseen
from assay.app.stores.objects import LargeObjects
from assay.contracts import instants
from assay.contracts.gates import GateStatus, gate_status, listed
from assay.contracts.reasons import Reason

#: written beside the seal when a check of all outputs finds nothing
ARTEFACT = "_ORACLE_CHECK_PASS.json"
_CLOSED = {"missing": Reason.REQUIRED_GATE_RECEIPT_MISSING}


def check_pack(
    store: LargeObjects, wanted: Sequence[str] = (), *, strict: bool = True, told: Callable[[int, int], object] = unseen
) -> PackReport:
    """Check a pack. `wanted`: outputs, all if there are none. `strict`: a missing seal is an error. `told`: (files read, files).

    Raises Stop(PACK_NOT_FOUND) where there is nothing of a pack.
    """
    look = Look(store)
    roots = read_roots(look, strict=strict)
    if roots.interface is None or roots.world_key is None:
        return PackReport(roots.pack_id, roots.world_key or {}, tuple(look.issues), whole=not wanted)
    gates = {gate_id: _gate(look, roots, gate) for gate_id, gate in roots.interface.gates.items()}
    parts = _parts(look, roots, gates)
    outputs = _Outputs(look, roots, gates, parts, told)
    verdicts = tuple(outputs.verdict(output_id) for output_id in (wanted or roots.interface.outputs))
    told_gates = {gate_id: (found.status, found.digest) for gate_id, found in gates.items()}
    return PackReport(roots.pack_id, roots.world_key, tuple(look.issues), told_gates, verdicts, whole=not wanted)


def settle(store: LargeObjects, report: PackReport, now_us: int) -> bool:
    """Write the artefact of a whole check that found nothing, and remove that of an earlier one when something is wrong now."""
    if report.status != "OK":
        store.remove(ARTEFACT)
        return False
    if report.whole:
        document = {
            "oracle_pack_id": report.pack_id,
            "world_key": dict(report.world_key),
            "gates": {gate_id: digest for gate_id, (_, digest) in report.gates.items()},
            "outputs": [one.as_json() for one in report.outputs],
            "checked_at_utc": instants.text(now_us),
        }
        store.replace(ARTEFACT, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")
    return report.whole


def _gate(look: Look, roots: Roots, gate: Gate) -> GateStatus:
    try:
        root = gate.bundle_root.format_map(roots.tokens)
    except (KeyError, ValueError) as error:
        look.wrong(Reason.TEMPLATE_TOKEN_MISSING, f"the world has no token for {error}", f"{GATE_MAP}: {gate.gate_id}")
        return GateStatus("missing")
    found = gate_status(gate.method, look.store.read, root)
    if found.status != "PASS":
        reason = _CLOSED.get(found.status, Reason.GATE_EVIDENCE_MISMATCH)
        look.wrong(reason, f"{gate.gate_id} is {found.status}: {found.detail}", root)
    return found


def _parts(look: Look, roots: Roots, gates: dict[str, GateStatus]) -> dict[str, list[PackPart]]:
    """The files that the bundles of open gates list, by output."""
    found: dict[str, list[PackPart]] = {}
    assert roots.interface is not None
    for gate_id, status in gates.items():
        if status.status != "PASS":
            continue
        gate = roots.interface.gates[gate_id]
        root = gate.bundle_root.format_map(roots.tokens)
        key = f"{root}/{OUTPUTS}"
        try:
            index = listed(gate.method, look.store.read(f"{root}/{gate.method.index_name}"))
            if (key if gate.method.pack_paths else OUTPUTS) not in index:
                raise ValueError(f"the bundle does not cover {OUTPUTS}")
            for entry in located(look.store.read(key)):
                locator = entry["locator"]
                part = PackPart(str(locator["path"]), int(entry["rows"]), str(locator["content_digest"]["hex"]))
                found.setdefault(locator["output_id"], []).append(part)
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            look.wrong(Reason.GATE_EVIDENCE_MISMATCH, f"{gate_id} lists no outputs that can be read: {error}", key)
    return found


class _Outputs:
    """Outputs one after another."""

    def __init__(
        self,
        look: Look,
        roots: Roots,
        gates: dict[str, GateStatus],
        parts: dict[str, list[PackPart]],
        told: Callable[[int, int], object],
    ) -> None:
        self._look, self._gates, self._parts, self._told = look, gates, parts, told
        assert roots.interface is not None
        self._interface, self._tokens = roots.interface, roots.tokens
        self._entries: dict[str, dict[str, Any]] = {
            entry["output_id"]: entry for entry in yaml.load(look.store.read(CATALOGUE), yaml.CSafeLoader)["outputs"]
        }
        self._done, self._total = 0, sum(map(len, parts.values()))

    def verdict(self, output_id: str) -> OutputVerdict:
        """What is to be said of an output; what is wrong is an issue, too."""
        parts = self._parts.get(output_id, [])
        codes = self._refused(output_id, parts) or [code for part in parts for code in self._wrong(output_id, part)]
        return OutputVerdict(output_id, len(parts), sum(part.rows for part in parts), tuple(dict.fromkeys(codes)))

    def _refused(self, output_id: str, parts: list[PackPart]) -> list[Reason]:
        """Why an output is not looked at."""
        where = f"{CATALOGUE}: {output_id}"
        if output_id not in self._interface.outputs:
            known = ", ".join(self._interface.outputs)
            return [self._look.wrong(Reason.OUTPUT_UNKNOWN, f"the catalogue has no such output; it has {known}", where)]
        try:
            gates = self._interface.gates_of(self._interface.outputs[output_id])
        except KeyError as error:
            what = f"the gate map has no gate {error}, which must have passed"
            return [self._look.wrong(Reason.REQUIRED_GATE_RECEIPT_MISSING, what, where)]
        closed = [status for gate in gates if (status := self._gates[gate.gate_id].status) != "PASS"]
        if closed:  # the gate's issue says why
            return [_CLOSED.get(status, Reason.GATE_EVIDENCE_MISMATCH) for status in closed]
        if not self._template(output_id):
            return [self._look.wrong(Reason.OUTPUT_TEMPLATE_MISSING, "the catalogue does not say where its files are", where)]
        try:
            self._template(output_id).format_map(self._tokens)
        except (KeyError, ValueError) as error:
            return [self._look.wrong(Reason.TEMPLATE_TOKEN_MISSING, f"the world has no token for {error}", where)]
        if not parts and self._entries[output_id].get("availability", "required") == "required":
            return [self._look.wrong(Reason.OUTPUT_MISSING, "no gate lists a file of it", where)]
        return []

    def _wrong(self, output_id: str, part: PackPart) -> list[Reason]:
        """What is wrong with a file."""
        self._done += 1
        self._told(self._done, self._total)
        place = re.escape(self._template(output_id).format_map(self._tokens)).replace(r"\*", "[0-9]{6}")
        if re.fullmatch(place, part.path) is None:
            return [self._look.wrong(Reason.MANIFEST_MISMATCH, f"a locator of {output_id} leads to another place", part.path)]
        try:
            digest = hashlib.sha256(self._look.store.view(part.path)).hexdigest()
        except FileNotFoundError:
            return [self._look.wrong(Reason.OBJECT_MISSING, f"a file of {output_id} is missing", part.path)]
        if digest != part.sha256:
            return [self._look.wrong(Reason.DIGEST_MISMATCH, f"a file of {output_id} is not the published one", part.path)]
        return []

    def _template(self, output_id: str) -> str:
        return str(self._entries[output_id].get("path_template") or "").strip()
