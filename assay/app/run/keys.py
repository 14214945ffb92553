"""The keys of a run: the present one, and the one before it while callers change over. Both are in the file of secrets."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from assay.app.run.directory import Run
from assay.app.run.secrets_file import SECRETS, refuse_without_key, secrets_path
from assay.app.run.watched import Watched
from assay.app.stores.file_lock import writer_lock
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def new_key() -> str:
    """A key that nobody guesses: 32 characters of base64, 192 bits."""
    return secrets.token_urlsafe(24)


class _Keys(NamedTuple):
    """The present key, and sha256 of each valid one."""

    present: str
    digests: tuple[bytes, ...]


class RunKeys:
    """Says whether a key is one of the run's. A file that changed is read again, so a rotation needs no restart.

    While the file cannot be read, the keys that were read last stay valid.
    """

    def __init__(self, run: Run) -> None:
        self._directory = run.directory
        files = (run.directory / "run.json", secrets_path(run.directory))
        self._keys = Watched(files, _keys(run), self._read, "the keys read last stay valid")

    def accepts(self, given: bytes) -> bool:
        """Whether this is a valid key, in the same time for each wrong one. No key is valid for a run without keys."""
        return self.knows(hashlib.sha256(given).digest())

    def knows(self, digest: bytes) -> bool:
        """The same of sha256 of a key."""
        same = [hmac.compare_digest(digest, known) for known in self._keys.look().digests]
        return any(same)

    @property
    def present(self) -> str:
        """The present key, with which a process of the run calls another."""
        return self._keys.look().present

    def _read(self, before: _Keys) -> _Keys:
        keys = _keys(Run.load(self._directory))
        if before.digests and not keys.digests:
            refuse_without_key("", self._directory)
        return keys


def rotate(directory: Path) -> Run:
    """Give the run a new key; the key before stays valid until `retire`. Raises Stop(RUN_MISSING, RUN_KEY_MISSING, KEY_NOT_RETIRED)."""
    with _writing(directory):
        run = Run.load(directory)
        refuse_without_key(run.api_key, directory)
        if run.earlier_api_key:
            raise Stop(
                Reason.KEY_NOT_RETIRED,
                "the key before the present one is still valid, and a run has two keys at most",
                where=str(directory / SECRETS),
                remedy="Give its callers the present key, then `assay key retire`.",
            )
        changed = run.model_copy(update={"api_key": new_key(), "earlier_api_key": run.api_key})
        changed.save()
    return changed


def retire(directory: Path) -> bool:
    """Refuse the earlier key from now on; whether there was one. Raises Stop(RUN_MISSING)."""
    with _writing(directory):
        run = Run.load(directory)
        if run.earlier_api_key:
            run.model_copy(update={"earlier_api_key": ""}).save()
    return bool(run.earlier_api_key)


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    Run.load(directory)  # no lock is left where there is no run
    with writer_lock(directory / ".keys.lock"):
        yield


def _keys(run: Run) -> _Keys:
    return _Keys(run.api_key, tuple(hashlib.sha256(key.encode()).digest() for key in (run.api_key, run.earlier_api_key) if key))
