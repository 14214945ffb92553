"""States of lanes and the manifests that vouch for them. What a digest would not let through is met here without one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzz.engine import Target, refusal
from snapshot_stores import folded, lane, snapshot, store

from assay.agents.lane import LaneMachine
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.starting import restore
from assay.codecs.table_state import MAGIC, TableState, blocks, read_state
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

LANES: Final = ("rtdl", "act")
RECORDS: Final = 6
WORD: Final = 8
READING: Final = (Reason.STATE_UNREADABLE, Reason.STATE_OF_ANOTHER_PLAN)


def meet_state(data: bytes) -> Any:
    """One part of a lane, named by the first byte: restored with the others as they are, it is refused or comes back as it was."""
    name, part = _chosen(data[0] if data else 0)
    one = _lane(name)
    try:
        one.restore({**_parts(name), part: read_state(data[1:])})
    except Stop as refused:
        assert refused.reason in READING, refused
        return part, refusal(refused)
    held = one.state()
    _written_again(held[part])
    return part, len(held[part].arrays)


def meet_header(data: bytes) -> Any:
    """The same with the header as a document: [part, header]; the arrays lie as they were written."""
    try:
        number, head = json.loads(data)
        name, part = _chosen(int(number) % 256)
        text = canonical(head)
    except (ValueError, TypeError, OverflowError, RecursionError, AssayError):
        return "no header"
    body = _bytes(name, part)
    return meet_state(bytes([int(number) % 256]) + body[: _head_at(body)] + text + len(text).to_bytes(WORD, "little") + MAGIC)


def meet_manifest(data: bytes) -> Any:
    """A manifest in the place of a good one, its parts as they are: the lane is restored or the snapshot refused."""
    _, good = _directory()
    kept = store(_directory()[0])
    (_directory()[0] / good.key).write_bytes(data)
    (found,) = kept.found()
    try:
        if found.refused is not None:
            raise found.refused
        assert found.manifest is not None
        restore(_lane(LANES[0]), kept, found.manifest)
    except Stop as refused:
        assert refused.reason in (*READING, Reason.SNAPSHOT_DAMAGED, Reason.SNAPSHOT_UNFIT), refused
        return refusal(refused)
    return "restored", found.manifest.state_digests == good.state_digests


def _written_again(state: TableState) -> None:
    """What was taken is written and read like any other."""
    value = b"".join(blocks(state))
    assert b"".join(blocks(read_state(value))) == value


@cache
def _lane(name: str) -> LaneMachine:
    """What it is restored to replaces all that it held."""
    return lane(name)


@cache
def _parts(name: str) -> dict[str, TableState]:
    return {part: read_state(_bytes(name, part)) for part in folded(name, RECORDS).state()}


@cache
def _bytes(name: str, part: str) -> bytes:
    return b"".join(blocks(folded(name, RECORDS).state()[part]))


@cache
def _places() -> list[tuple[str, str]]:
    return [(name, part) for name in LANES for part in _parts(name)]


def _chosen(number: int) -> tuple[str, str]:
    return _places()[number % len(_places())]


def _head_at(body: bytes) -> int:
    tail = len(body) - len(MAGIC) - WORD
    return tail - int.from_bytes(body[tail : tail + WORD], "little")


def measured(data: bytes) -> bytes:
    """The length of the header put right, and the magic behind it, so that damage gets to the header and the arrays."""
    at = data.rfind(b'{"arrays":')
    end = len(data) - len(MAGIC) - WORD
    return data[:end] + (end - at).to_bytes(WORD, "little") + MAGIC if 0 <= at < end else data


def resealed(data: bytes) -> bytes:
    """The digest of a manifest put right."""
    try:
        body = json.loads(data)["manifest"]
        return canonical({"manifest": body, "sha256": hashlib.sha256(canonical(body)).hexdigest()})
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AssayError):
        return data


@cache
def _directory() -> tuple[Path, SnapshotManifest]:
    root = Path(tempfile.mkdtemp(prefix="fuzz"))
    return root, snapshot(root, "rtdl", RECORDS)


def _state_seeds() -> list[bytes]:
    return [bytes([number]) + _bytes(*place) for number, place in enumerate(_places())]


def _header_seeds() -> list[bytes]:
    heads = [_bytes(*place) for place in _places()]
    return [json.dumps([n, json.loads(body[_head_at(body) : -len(MAGIC) - WORD])]).encode() for n, body in enumerate(heads)]


TARGETS: Final = (
    Target("states", _state_seeds, meet_state, 40, kernels=True, repair=measured),
    Target("state_headers", _header_seeds, meet_header, 40, document=True, text=True, kernels=True),
    Target("manifests", lambda: [_directory()[1].to_bytes()], meet_manifest, 10, document=True, text=True, repair=resealed),
)
