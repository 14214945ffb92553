"""Evidence of an imported world: its one output and its one gate, which passes when every byte and row was computed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from assay.app.oracle.import_interface import GATE_ID
from assay.app.oracle.sealed_world import SealedWorld, open_world, world_root
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.pack.sealed_pack import MANIFEST
from assay.app.progress import unseen
from assay.app.run.directory import RunConfig
from assay.app.runner.evidence import GateSeen, Located, Seen
from assay.app.runner.request import RunRequest
from assay.app.stores.objects import ObjectStore
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.gates import Status
from assay.contracts.reasons import Reason

#: a world that is not there yet, and one that contradicts itself
_ABSENT: Final = frozenset({Reason.PACK_NOT_FOUND, Reason.PACK_NOT_SEALED, Reason.REQUIRED_GATE_RECEIPT_MISSING})
_CONTRADICTS: Final = frozenset(
    {
        *(Reason.OBJECT_MISSING, Reason.DIGEST_MISMATCH, Reason.MANIFEST_MISMATCH),
        *(Reason.STREAM_VIEW_UNSORTED, Reason.PACK_MANIFEST_INVALID, Reason.GATE_EVIDENCE_MISMATCH),
    }
)
#: refusal → what it says of the gate
_SAID: Final[dict[Reason, Status]] = {
    **dict.fromkeys(_ABSENT, "missing"),
    **dict.fromkeys(_CONTRADICTS, "conflict"),
    Reason.PACK_SEALED_FAILED: "FAIL",
}


class ImportedWorld:
    """The port `Evidence` over a store of imported worlds. `checked(done, total)` is called for every part that was verified."""

    def __init__(
        self, store: ObjectStore, config: RunConfig, clock: Callable[[], int], checked: Callable[[int, int], None] = unseen
    ) -> None:
        self._store, self._config, self._clock, self._checked = store, config, clock, checked

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """The world's output. Only a request that names it can be planned before the world is there."""
        if request.output_ids:
            return dict.fromkeys(request.output_ids, (GATE_ID,))
        try:
            return {open_world(self._store, request.manifest_fingerprint).manifest.output_id: (GATE_ID,)}
        except Stop as refusal:
            if refusal.reason not in _CONTRADICTS:
                raise
        return {"unreadable": (GATE_ID,)}  # the look says in which way

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """Verify the world. Raises Stop: RUN_SCOPE_MISMATCH, TIME_IN_FUTURE, LABEL_NOT_AFTER_PAYMENT; Retry(STORE_SILENT)."""
        try:
            world = open_world(self._store, request.manifest_fingerprint)
            self._refuse_other_pins(world, request)
            total = len(world.manifest.stream_view) + len(world.manifest.truth)
            for done, _ in enumerate(world.verify(), start=1):
                keep()
                self._checked(done, total)
        except Stop as refusal:
            if refusal.reason not in _SAID:
                raise
            status = _SAID[refusal.reason]
            why = f"{refusal.reason.value}: {refusal.what} (at {refusal.where})"
            return Seen(gates={GATE_ID: GateSeen(GATE_ID, status, why=why)})
        refuse_mistimed_labels(self._config, world.manifest, self._clock())
        return _seen(world)

    def _refuse_other_pins(self, world: SealedWorld, request: RunRequest) -> None:
        manifest = world.manifest
        for name, ours, theirs in (
            ("parameter_hash", request.parameter_hash, manifest.parameter_hash),
            ("scenario_id", request.scenario_id, manifest.scenario_id),
            ("seed", request.seed, manifest.seed),
        ):
            if ours != theirs:
                what = f"the run's {name} is {ours}, the world's is {theirs}"
                remedy = "Take the pins of a run from the manifest of its world."
                raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=world.root, remedy=remedy)


def refuse_mistimed_labels(config: RunConfig, manifest: WorldManifest, now_us: int) -> None:
    """The gate admits nothing from the future; a label told on one day and refused on another would be another run.

    Raises Stop(LABEL_NOT_AFTER_PAYMENT, TIME_IN_FUTURE).
    """
    delay_us = config.label_delay_us
    if manifest.truth_summary is None or manifest.truth_summary.delay_us is None:
        return
    if delay_us <= 0:
        what = f"labels would be told {delay_us} µs after their payments"
        raise Stop(Reason.LABEL_NOT_AFTER_PAYMENT, what, where="label_delay_us", remedy="Give the run a label delay above zero.")
    if delay_us > now_us - manifest.max_ts_us:
        what = (
            f"the last payment is of {instants.text(manifest.max_ts_us)}, and {instants.duration_text(delay_us)} after it are not over yet"
        )
        raise Stop(
            Reason.TIME_IN_FUTURE, what, where="label_delay_us", remedy="Give the run a shorter label delay, or leave out the last days."
        )


def _seen(world: SealedWorld) -> Seen:
    manifest = world.manifest
    truth, root = manifest.truth_summary, world_root(manifest.manifest_fingerprint)
    files = tuple((f"{root}/{part.key}", part.rows, part.sha256) for part in manifest.stream_view)
    rows = {"traffic": manifest.rows, "context": 0, "label": truth.emitted if truth else 0, "truth": truth.rows if truth else 0}
    facts: dict[str, Any] = {
        "oracle_pack_ref": {"oracle_pack_id": manifest.oracle_pack_id, "manifest_ref": f"{root}/{MANIFEST}"},
        "output_roles": {manifest.output_id: "business_traffic"},
        "rows": rows,
    }
    return Seen(
        outputs={manifest.output_id: Located(manifest.output_id, f"{root}/stream_view/", manifest.rows, files)},
        gates={GATE_ID: GateSeen(GATE_ID, "PASS", manifest.digest)},
        facts=facts,
        min_ts_us=manifest.min_ts_us,
        max_ts_us=manifest.max_ts_us,
    )
