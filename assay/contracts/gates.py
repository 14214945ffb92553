"""Validation gates: how a bundle of files becomes an index and a flag, and how a reader checks them again.

Methods, index shapes and flag bodies are those of the gate map. A flag is written last; without it nothing of the segment may be read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

FLAG = "_passed.flag"
#: key below the bundle (or below the pack, by the method) → bytes; raises FileNotFoundError
Read: TypeAlias = Callable[[str], bytes]
Status = Literal["PASS", "FAIL", "missing", "conflict"]
_LISTS = ("items", "members", "entries", "files")


@dataclass(frozen=True)
class GateMethod:
    """How a segment's bundle is digested.

    `whole`: every file of the bundle counts, the index too. `members`: the digest is over the hex digests of the members in order, not
    over their bytes. `lexical`: files count in ASCII order of their paths, else in the order of the index. `pack_paths`: paths start at
    the pack's root.
    """

    name: str
    index_name: str = "index.json"
    list_name: str = ""
    digest_field: str = "sha256_hex"
    json_flag: bool = False
    whole: bool = False
    members: bool = False
    lexical: bool = True
    pack_paths: bool = False


@dataclass(frozen=True)
class GateStatus:
    """What a reader found. `digest`: what was computed, empty where a file is missing."""

    status: Status
    digest: str = ""
    detail: str = ""


def method_of(entry: Mapping[str, Any]) -> GateMethod:
    """The method that an entry of the gate map states. Raises KeyError and TypeError for an entry of another form."""
    how = entry["verification_method"]
    return GateMethod(
        how["kind"],
        index_name=entry["index_path"].rpartition("/")[2],
        list_name="" if how["list"] == "array" else how["list"],
        digest_field=how["digest_field"],
        json_flag=how["flag"] == "json",
        whole=how["includes_index"],
        members=how["members"],
        lexical=how["ordering"] == "ascii_lex",
        pack_paths=how["paths_relative_to"] == "pack_root",
    )


def listed(gate: GateMethod, index: bytes) -> set[str]:
    """Paths of an index. Raises ValueError for an index of another form."""
    return {entry["path"] for entry in _entries(json.loads(index))}


def flag_files(gate: GateMethod, bundle: Mapping[str, bytes], fingerprint: str, more: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Index and flag of a bundle, path → bytes. `more`: further fields of an index that is an object."""
    entries = [_entry(gate, path, data) for path, data in (sorted(bundle.items()) if gate.lexical else bundle.items())]
    index = json.dumps({**more, gate.list_name: entries} if gate.list_name else entries, indent=1).encode() + b"\n"
    digest = _digest(gate, index, {**bundle}.__getitem__)
    if gate.json_flag:
        body = json.dumps({"manifest_fingerprint": fingerprint, gate.digest_field: digest}, sort_keys=True).encode()
    else:
        body = f"{gate.digest_field} = {digest}".encode()
    return index, body + b"\n"


def gate_status(gate: GateMethod, read: Read, bundle_root: str) -> GateStatus:
    """Check a flag against its bundle. `read` takes keys of the pack.

    missing: the flag, the index or a listed file is not there. conflict: the flag cannot be read. FAIL: the digest is another.
    """

    def of_bundle(path: str) -> bytes:
        return read(path if gate.pack_paths and path != gate.index_name else f"{bundle_root}/{path}")

    try:
        said = _flagged(gate, read(f"{bundle_root}/{FLAG}"))
        if said is None:
            return GateStatus("conflict", detail=f"{FLAG} is not of the form of {gate.name}")
        found = _digest(gate, of_bundle(gate.index_name), of_bundle)
    except FileNotFoundError as error:
        return GateStatus("missing", detail=str(error.filename or error))
    except (ValueError, KeyError, TypeError) as error:
        return GateStatus("conflict", detail=f"{gate.index_name} cannot be read: {error}")
    return GateStatus("PASS", found) if found == said else GateStatus("FAIL", found, f"the flag says {said}")


def _entry(gate: GateMethod, path: str, data: bytes) -> dict[str, str]:
    entry = {"path": path, "sha256_hex": hashlib.sha256(data).hexdigest()}
    return {"logical_id": path.rpartition("/")[2].partition(".")[0], **entry} if gate.members else entry


def _digest(gate: GateMethod, index: bytes, read: Read) -> str:
    entries = _entries(json.loads(index))
    paths = [entry["path"] for entry in entries]
    if len({*paths}) != len(paths):
        raise ValueError("a path is listed twice")
    if gate.members:
        for entry in entries:
            if hashlib.sha256(read(entry["path"])).hexdigest() != entry["sha256_hex"]:
                return hashlib.sha256(b"member differs").hexdigest()
        return hashlib.sha256("".join(entry["sha256_hex"] for entry in entries).encode()).hexdigest()
    whole = hashlib.sha256()
    for path in sorted([*paths, gate.index_name] if gate.whole else paths) if gate.lexical else paths:
        whole.update(index if path == gate.index_name else read(path))
    return whole.hexdigest()


def _entries(index: Any) -> list[dict[str, str]]:
    if isinstance(index, dict):
        index = next((index[name] for name in _LISTS if name in index), None)
    if not isinstance(index, list) or not index:
        raise ValueError("no list of files")
    return index


def _flagged(gate: GateMethod, flag: bytes) -> str | None:
    try:
        text = flag.decode("ascii").strip()
        value = json.loads(text)[gate.digest_field] if gate.json_flag else text.removeprefix(f"{gate.digest_field} = ")
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) and len(value) == 64 and not {*value} - {*"0123456789abcdef"} else None
