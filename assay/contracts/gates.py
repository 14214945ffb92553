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
_WITH_ROLES = ("items", "members")
SPEC_VERSION = "1.0.0"
DIGITS = 64


@dataclass(frozen=True)
class GateMethod:
    """How a segment's bundle is digested.

    `whole`: every file of the bundle counts, the index too. `members`: the digest is over the hex digests of the members in order, not
    over their bytes. `lexical`: files count in ASCII order of their paths, else in the order of the index. `pack_paths`: paths start at
    the pack's root. An index that is an object has further fields: `version_field`, and `digest_fields` with the digests of files.
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
    version_field: str = "spec_version_{segment_id}"
    digest_fields: tuple[tuple[str, str], ...] = ()


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


def stated(gate: GateMethod, bundle_root: str) -> dict[str, Any]:
    """What the gate map says of a gate's files and method; `method_of` reads it."""
    return {
        "validation_bundle_root": bundle_root,
        "passed_flag_path": f"{bundle_root}/{FLAG}",
        "index_path": f"{bundle_root}/{gate.index_name}",
        "verification_method": {
            "kind": gate.name,
            "digest_field": gate.digest_field,
            "flag": "json" if gate.json_flag else "text",
            "list": gate.list_name or "array",
            "ordering": "ascii_lex" if gate.lexical else "index_order",
            "paths_relative_to": "pack_root" if gate.pack_paths else "bundle_root",
            "includes_index": gate.whole,
            "members": gate.members,
        },
    }


def listed(gate: GateMethod, index: bytes) -> set[str]:
    """Paths of an index. Raises ValueError for an index of another form."""
    return {entry["path"] for entry in _entries(json.loads(index))}


def flag_files(gate: GateMethod, bundle: Mapping[str, bytes], fingerprint: str, segment_id: str) -> tuple[bytes, bytes]:
    """Index and flag of a bundle, path → bytes."""
    entries = [_entry(gate, path, data) for path, data in (sorted(bundle.items()) if gate.lexical else bundle.items())]
    shape = {**_fields(gate, bundle, segment_id), gate.list_name: entries} if gate.list_name else entries
    index = json.dumps(shape, indent=1).encode() + b"\n"
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
    name = path.rpartition("/")[2].partition(".")[0]
    if gate.list_name in _WITH_ROLES:
        entry["role"] = "_".join(word for word in name.split("_") if word.islower())
    return {"logical_id": name, **entry} if gate.members else entry


def _fields(gate: GateMethod, bundle: Mapping[str, bytes], segment_id: str) -> dict[str, str]:
    found = {"segment_id": segment_id, gate.version_field.format(segment_id=segment_id): SPEC_VERSION}
    for field, name in gate.digest_fields:
        found[field] = hashlib.sha256(bundle[name.format(segment_id=segment_id)]).hexdigest()
    return found


def _digest(gate: GateMethod, index: bytes, read: Read) -> str:
    entries = _entries(json.loads(index))
    paths = [entry["path"] for entry in entries]
    if len({*paths}) != len(paths):
        raise ValueError("a path is listed twice")
    if any(hashlib.sha256(read(entry["path"])).hexdigest() != entry["sha256_hex"] for entry in entries):
        # stricter than the gate map, whose methods over raw bytes do not look at these digests
        return hashlib.sha256(b"a member differs").hexdigest()
    if gate.members:
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
    """The digest that a flag says; None for a flag of another form."""
    try:
        text, prefix = flag.decode("ascii").strip(), f"{gate.digest_field} = "
        value = json.loads(text) if gate.json_flag else {gate.digest_field: text.removeprefix(prefix)} if text.startswith(prefix) else {}
        said = value[gate.digest_field] if not gate.json_flag or "manifest_fingerprint" in value else None
    except (ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) and len(said) == DIGITS and not {*said} - {*"0123456789abcdef"} else None
