"""`assay oracle sync`: a sealed pack is copied, each object once. What is to be copied is written down first, the seal comes last.

A copy that was cut off has no seal, so nobody reads it. The same call goes on: objects that arrived whole are not copied again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from assay.app.pack.interface import CATALOGUE, GATE_MAP
from assay.app.pack.sealed_pack import MANIFEST, RECEIPT, SEAL, SealedPack, open_pack
from assay.app.progress import unseen
from assay.app.stores.objects import ObjectExists, SizedObjects
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG, listed
from assay.contracts.reasons import Reason

_T = TypeVar("_T")

SNAPSHOT = "seed_snapshot.json"
VIEWS, VIEW_RECEIPT = "stream_view", "_stream_sort_receipt.json"
#: objects that are on their way at once
AT_ONCE = 4
_BLOCK_BYTES = 4 * 2**20
#: what lets readers in comes after everything that it stands for
_LATE = (FLAG, VIEW_RECEIPT, SEAL)


class SeedObject(NamedTuple):
    """An object that is to be copied: bytes, and their sha256 in hex."""

    key: str
    size: int
    sha256: str


class Synced(NamedTuple):
    """What a call did: objects of the pack, and of them those that it copied."""

    pack_id: str
    objects: int
    copied: int
    copied_bytes: int


def sync_pack(source: SizedObjects, target: SizedObjects, told: Callable[[int, int], object] = unseen, at_once: int = AT_ONCE) -> Synced:
    """Copy a pack. `told` is called with (objects there, objects).

    Raises Stop as the seal and the gates do, MANIFEST_MISMATCH where the target holds another pack, OBJECT_MISSING, DIGEST_MISMATCH.
    """
    pack = open_pack(source)
    objects = seed_objects(source, pack)
    _write_down(target, pack.identity.pack_id, objects)
    copied: list[SeedObject] = []
    done = 0
    with ThreadPoolExecutor(at_once) as pool:
        for late in ("", *_LATE):
            jobs = [(one, pool.submit(_copied, source, target, one)) for one in objects if _rank(one.key) == late]
            try:
                for one, job in jobs:
                    copied += [one] if job.result() else []
                    done += 1
                    told(done, len(objects))
            except BaseException:
                for _, job in jobs:
                    job.cancel()
                raise
    return Synced(pack.identity.pack_id, len(objects), len(copied), sum(one.size for one in copied))


def seed_objects(source: SizedObjects, pack: SealedPack) -> list[SeedObject]:
    """All objects of a pack by their references: documents, bundles of its gates, files of its outputs, and stream views that are whole.

    Raises Stop as gates do, OUTPUT_MISSING, OBJECT_MISSING.
    """
    found: dict[str, SeedObject] = {}
    for output in pack.interface.outputs.values():
        for part in pack.parts(output):
            found[part.path] = SeedObject(part.path, _there(part.path, source.size), part.sha256)
    for key in [*_bundle_keys(source, pack), *_view_keys(source), CATALOGUE, GATE_MAP, RECEIPT, MANIFEST, SEAL]:
        data = _there(key, source.view)
        found.setdefault(key, SeedObject(key, len(data), hashlib.sha256(data).hexdigest()))
    return [found[key] for key in sorted(found)]


def _bundle_keys(source: SizedObjects, pack: SealedPack) -> Iterator[str]:
    for gate in pack.interface.gates.values():
        root = gate.bundle_root.format_map({name: str(value) for name, value in pack.identity.world_key.items()})
        index = f"{root}/{gate.method.index_name}"
        yield from (path if gate.method.pack_paths else f"{root}/{path}" for path in listed(gate.method, _there(index, source.read)))
        yield index
        yield f"{root}/{FLAG}"


def _view_keys(source: SizedObjects) -> list[str]:
    keys = list(source.keys(VIEWS))
    whole = {key.rpartition("/")[0] for key in keys if key.endswith(f"/{VIEW_RECEIPT}")}
    return [key for key in keys if key.rpartition("/")[0] in whole]


def _write_down(target: SizedObjects, pack_id: str, objects: Sequence[SeedObject]) -> None:
    """What is to be copied, before anything is. Views that came since are added to what an earlier call wrote."""
    document = {"oracle_pack_id": pack_id, "objects": [one._asdict() for one in objects]}
    for key in (SNAPSHOT, SEAL):
        try:
            held = json.loads(target.read(key))["oracle_pack_id"]
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            held = "unreadable"
        if held != pack_id:
            what = f"the target holds another pack ({held[:12]}), not {pack_id[:12]}"
            raise Stop(Reason.MANIFEST_MISMATCH, what, where=key, remedy="Choose an empty target: a pack is never copied over another.")
    target.replace(SNAPSHOT, json.dumps(document, indent=1).encode() + b"\n")


def _copied(source: SizedObjects, target: SizedObjects, one: SeedObject) -> bool:
    """Copy an object if it is not there yet: whether it was copied. Its digest is computed at the source and again on arrival."""
    if _is_there(target, one):
        return False
    data = _there(one.key, source.view)
    if (len(data), hashlib.sha256(data).hexdigest()) != (one.size, one.sha256):
        raise _differs("the object of the source is not the published one", one, "Check the source: `assay oracle check`.")
    try:
        target.create_from(one.key, (data[at : at + _BLOCK_BYTES] for at in range(0, len(data), _BLOCK_BYTES)))
    except ObjectExists:  # another call copies the same pack
        return not _is_there(target, one)
    _is_there(target, one)
    return True


def _is_there(target: SizedObjects, one: SeedObject) -> bool:
    """Whether the target has an object, by its bytes. Raises Stop(DIGEST_MISMATCH) where it has another."""
    try:
        data = target.view(one.key)
    except FileNotFoundError:
        return False
    if hashlib.sha256(data).hexdigest() != one.sha256:
        raise _differs("the target has another object", one, "It is never overwritten: remove it, or choose an empty target.")
    return True


def _there(key: str, look: Callable[[str], _T]) -> _T:
    try:
        return look(key)
    except FileNotFoundError:
        remedy = "The source is damaged: `assay oracle check` says what is missing."
        raise Stop(Reason.OBJECT_MISSING, "an object of the pack is missing", where=key, remedy=remedy) from None


def _differs(what: str, one: SeedObject, remedy: str) -> Stop:
    return Stop(Reason.DIGEST_MISMATCH, what, where=one.key, remedy=remedy)


def _rank(key: str) -> str:
    """Which late object this is, empty for none."""
    name = key.rpartition("/")[2]
    return name if name in _LATE else ""
