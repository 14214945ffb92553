"""Keys with an actor's name: who sends one is named in receipts. The file holds hashes, so nobody reads a key from it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.app.run.directory import Run
from assay.app.run.keys import new_key
from assay.app.run.watched import Watched
from assay.app.settings import load_settings
from assay.app.stores.durable import replace_file
from assay.app.stores.file_lock import writer_lock
from assay.contracts.caller import Caller, SourceType, actor_id, check_actor_name
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

CALLER_KEYS: Final = "caller_keys.json"
_HEX64: Final = "^[0-9a-f]{64}$"


class CallerKey(BaseModel):
    """A key that is valid: its id, its actor, and sha256 of the key itself in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_id: str
    actor: str
    source_type: SourceType
    sha256: str = Field(pattern=_HEX64)
    added_at_utc: str

    @property
    def caller(self) -> Caller:
        """Who sends this key."""
        return Caller(actor_id(self.source_type, self.actor), self.source_type, "api_key", self.key_id)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    keys: tuple[CallerKey, ...] = ()


class CallerKeys:
    """The named keys of a run's gate. A file that changed is read again; while it cannot be read, the keys read last stay valid."""

    def __init__(self, path: Path) -> None:
        """Raises Stop(CALLER_KEYS_INVALID) for a file that cannot be read."""
        told = "the keys of callers that were read last stay valid"
        self._known = Watched((path,), _known(keys_in(path)), lambda _: _known(keys_in(path)), told)

    def caller_of(self, digest: bytes) -> Caller | None:
        """Who sends the key with this sha256, in the same time for each wrong one."""
        same = [caller for known, caller in self._known.look() if hmac.compare_digest(digest, known)]
        return same[0] if same else None


def caller_keys_path(directory: Path) -> Path:
    """Where the named keys of a run are: the file of `ASSAY_CALLER_KEYS`, else one of its directory."""
    return load_settings().caller_keys or directory / CALLER_KEYS


def keys_in(path: Path) -> tuple[CallerKey, ...]:
    """The valid keys, in the order in which they were added; none without a file. Raises Stop(CALLER_KEYS_INVALID)."""
    try:
        return _File.model_validate(json.loads(path.read_text(encoding="utf-8"))).keys
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        # never the values: a fault of pydantic quotes them
        told = "it holds other fields, or other kinds" if isinstance(error, ValidationError) else type(error).__name__
        what, remedy = f"the keys of callers cannot be read: {told}", "Restore the file, or remove it and add the keys again."
        raise Stop(Reason.CALLER_KEYS_INVALID, what, where=str(path), remedy=remedy) from None


def add(directory: Path, name: str, source_type: SourceType, at_utc: str) -> tuple[CallerKey, str]:
    """A new key of an actor, and the key itself, which is kept nowhere.

    Raises Stop(RUN_MISSING, CALLER_KEYS_INVALID), Quarantine(ACTOR_NAME_INVALID).
    """
    check_actor_name(name)
    key = new_key()
    hashed = hashlib.sha256(key.encode()).hexdigest()
    made = CallerKey(key_id=f"k-{secrets.token_hex(4)}", actor=name, source_type=source_type, sha256=hashed, added_at_utc=at_utc)
    _change(directory, lambda keys: (*keys, made))
    return made, key


def retire(directory: Path, named: str) -> tuple[CallerKey, ...]:
    """Refuse a key by its id, or all keys of an actor, from now on; those that went. Raises Stop(CALLER_KEY_UNKNOWN, RUN_MISSING)."""
    gone = [key for key in keys_in(caller_keys_path(Run.load(directory).directory)) if named in (key.key_id, key.actor)]
    if not gone:
        what, remedy = f"no key and no actor is called {named[:80]!r}", "`assay key list --run DIR` names them."
        raise Stop(Reason.CALLER_KEY_UNKNOWN, what, where=str(caller_keys_path(directory)), remedy=remedy)
    ids = {key.key_id for key in gone}
    _change(directory, lambda keys: tuple(key for key in keys if key.key_id not in ids))
    return tuple(gone)


def _change(directory: Path, change: Callable[[tuple[CallerKey, ...]], tuple[CallerKey, ...]]) -> None:
    """Replace the file, atomically and durably, readable by its owner only. One who writes at a time."""
    Run.load(directory)  # nothing is left where there is no run
    path = caller_keys_path(directory)
    with writer_lock(path.with_name(f".{path.name}.lock")):
        changed = _File(keys=change(keys_in(path)))
        replace_file(path, changed.model_dump_json(indent=1).encode(), mode=0o600)


def _known(keys: tuple[CallerKey, ...]) -> tuple[tuple[bytes, Caller], ...]:
    return tuple((bytes.fromhex(key.sha256), key.caller) for key in keys)
