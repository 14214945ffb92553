"""Ids derived from content: the same facts give the same id on every machine and in every rerun.

Ids that live in JSON and file names come as lower-case hex text; ids that travel as Avro fixed come as bytes.
Recipes with a `…_prefix` are sha256(prefix ‖ last part): everything that is constant for a run is in the prefix, so a kernel can
hash prefix ‖ event_id row by row. Parts before the last have a fixed width or end in a byte that cannot occur in them, hence no
two inputs share bytes. No recipe takes a bus offset, so an event admitted again gives the same ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from assay.contracts.pins import Pins

#: one action domain for all outcomes of a payment: two conflicting actions on one event share a key and cannot both execute
ACTION_DOMAIN = b"txn_disposition\0"
RECEIPT_ID_CHARS = 32


def scenario_run_id(run_equivalence_key: str) -> str:
    """hex32 of `sr_run|key`: asking twice with one key names one run."""
    return _hex("sr_run", run_equivalence_key)[:32]


def ready_message_id(platform_run_id: str, scenario_run_id: str, bundle_hash: str) -> str:
    """hex64 of `ready|platform_run_id|scenario_run_id|bundle_hash`: one READY per run and evidence bundle."""
    return _hex("ready", platform_run_id, scenario_run_id, bundle_hash)


def policy_revision_id(platform_run_id: str, scenario_run_id: str, policy_seq: int, content_digest: str) -> str:
    """hex64 of `policy_revision|platform_run_id|scenario_run_id|number|digest`: one record per change of a run's policy."""
    return _hex("policy_revision", platform_run_id, scenario_run_id, policy_seq, content_digest)


def attempt_id(scenario_run_id: str, attempt_no: int) -> str:
    """hex32 of `sr_attempt|run|number`: one attempt of the engine, counted from 1."""
    return _hex("sr_attempt", scenario_run_id, attempt_no)[:32]


def scenario_set_id(scenarios: Iterable[str]) -> str:
    """`scnset_` and 16 hex digits over the sorted names of a set; order and repetition do not matter."""
    return f"scnset_{_hex(*sorted(set(scenarios)))[:16]}"


def terminal_key(scenario_run_id: str, state: str, status_digest: str) -> str:
    """hex64 of `terminal|run|STATE|sha256 of the status`: the key of the signal that a run ended without READY."""
    return _hex("terminal", scenario_run_id, state, status_digest)


def governance_event_id(family: str, platform_run_id: str, scenario_run_id: str, component: str, dedupe_key: str) -> str:
    """hex64 of `family|platform_run_id|scenario_run_id|component|dedupe_key`: the same fact is told once."""
    return _hex(family, platform_run_id, scenario_run_id, component, dedupe_key)


def world_event_id(output_id: str, primary_key: Sequence[str | int], pins: Pins) -> str:
    """hex64 over output, primary key and world pins joined by `|`. Run ids take no part: a world's row keeps its id in every run."""
    return _hex(output_id, *primary_key, pins.manifest_fingerprint, pins.parameter_hash, pins.seed, pins.scenario_id)


def engine_run_id(seed: int, parameter_hash: str, manifest_fingerprint: str, scenario_id: str) -> str:
    """hex32 of the world's tokens joined by `|`: a world that is made again has the same run id, and none of its outputs depends on it."""
    return _hex(seed, parameter_hash, manifest_fingerprint, scenario_id)[:32]


def oracle_pack_id(world_key: Mapping[str, str | int], engine_release: str, catalogue_digest: str, gate_map_digest: str) -> str:
    """sha256 hex of a pack: its world, the release that made it, and the sha256 of its two interface documents."""
    names = ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")
    return _hex(*(world_key[name] for name in names), engine_release, catalogue_digest, gate_map_digest)


def checkpoint_scope(pack_key: str, platform_run_id: str, scenario_run_id: str, lane_count: int, lane_index: int, attempt: str = "") -> str:
    """hex64 naming a streamer's checkpoint: another platform run starts from the beginning."""
    return _hex(pack_key, platform_run_id, scenario_run_id, lane_count, lane_index, attempt)


def receipt_id(decision: str, event_id: str) -> str:
    """hex32 of `DECISION:event_id` (ADMIT, DUPLICATE or QUARANTINE). Unique inside one platform run.

    For a refused item, which shares its event id with others, the gate gives `event_id:sha256 of its bytes` in place of the id, with
    `unknown` for an event id that cannot be read.
    """
    return hashlib.sha256(f"{decision}:{event_id}".encode()).hexdigest()[:RECEIPT_ID_CHARS]


def dedupe_prefix(platform_run_id: str, event_class: str) -> bytes:
    """`platform_run_id:event_class:`."""
    return f"{platform_run_id}:{event_class}:".encode()


def dedupe_key(platform_run_id: str, event_class: str, event_id: str) -> bytes:
    """32 bytes naming one event of one class in one platform run: what the gate admits once."""
    return _sha(dedupe_prefix(platform_run_id, event_class), event_id.encode())


def decision_id_prefix(pins_digest: bytes, policy_digest: bytes) -> bytes:
    """Tag, pins digest (32), digest of the policy in force (32): 82 bytes."""
    return b"df.decision_id.v3\0" + _exactly(pins_digest, 32) + _exactly(policy_digest, 32)


def decision_id(pins_digest: bytes, policy_digest: bytes, event_id: str) -> bytes:
    """16 bytes: the decision on one event under one policy in one run."""
    return _sha(decision_id_prefix(pins_digest, policy_digest), event_id.encode())[:16]


def idempotency_key_prefix(pins_digest: bytes) -> bytes:
    """Tag, pins digest (32), action domain."""
    return b"df.idempotency_key.v2\0" + _exactly(pins_digest, 32) + ACTION_DOMAIN


def idempotency_key(pins_digest: bytes, event_id: str) -> bytes:
    """32 bytes: one key per event whatever the action, so an effector that honours it acts once."""
    return _sha(idempotency_key_prefix(pins_digest), event_id.encode())


ACTION_ID_TAG = b"df.action_id.v2\0"


def action_id(idempotency_key: bytes, action_kind: str) -> bytes:
    """16 bytes over the tag, the idempotency key (32) and the kind of action."""
    return _sha(ACTION_ID_TAG, _exactly(idempotency_key, 32), action_kind.encode())[:16]


OUTCOME_ID_TAG = b"al.outcome_id.v1\0"


def outcome_id(action_id: bytes, status: str) -> bytes:
    """16 bytes over the tag, the action (16) and what became of it."""
    return _sha(OUTCOME_ID_TAG, _exactly(action_id, 16), status.encode())[:16]


AUDIT_ID_TAG = b"dla.audit_id.v1\0"


def audit_id(decision_body: bytes, outcome_body: bytes) -> bytes:
    """32 bytes over the tag and the sha256 of each Avro body."""
    return _sha(AUDIT_ID_TAG, _sha(decision_body), _sha(outcome_body))


def _hex(*parts: str | int) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _exactly(part: bytes, size: int) -> bytes:
    if len(part) != size:
        raise ValueError(f"{len(part)} bytes given where the recipe takes {size}")
    return part
