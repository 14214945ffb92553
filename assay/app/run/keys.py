"""The keys of a run: the present one, and the one before it while callers change over. Both are in the file of secrets."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.app.run.directory import Run
from assay.app.run.secrets_file import SECRETS, refuse_without_key, secrets_path
from assay.app.stores.file_lock import writer_lock
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.keys")
#: (inode, time of change, size) of each file
_Version = tuple[tuple[int, int, int], ...] | None


def new_key() -> str:
    """A key that nobody guesses: 32 characters of base64, 192 bits."""
    return secrets.token_urlsafe(24)


class RunKeys:
    """Says whether a key is one of the run's. A file that changed is read again, so a rotation needs no restart.

    While the file cannot be read, the keys that were read last stay valid.
    """

    def __init__(self, run: Run) -> None:
        self._directory = run.directory
        self._files = (run.directory / "run.json", secrets_path(run.directory))
        self._seen: _Version = None  # the run may have been read before a change
        self._digests = _digests(run)
        self._told = False  # of the fault that lasts

    def accepts(self, given: bytes) -> bool:
        """Whether this is a valid key, in the same time for each wrong one. No key is valid for a run without keys."""
        self._look()
        digest = hashlib.sha256(given).digest()
        same = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(same)

    def _look(self) -> None:
        version = _version(self._files)
        if version == self._seen:
            return
        try:
            digests = _digests(Run.load(self._directory))
            if self._digests and not digests:
                refuse_without_key("", self._directory)
        except (Stop, OSError) as error:  # looked at again by the next call: nothing says when a fault is over
            if not self._told:
                log.warning("the keys read last stay valid: %s", error)
            self._told = True
            return
        self._seen, self._digests, self._told = version, digests, False


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


def _digests(run: Run) -> tuple[bytes, ...]:
    return tuple(hashlib.sha256(key.encode()).digest() for key in (run.api_key, run.earlier_api_key) if key)


def _version(files: Iterable[Path]) -> _Version:
    """What changes with any of the files; None while one cannot be looked at. On another machine there may be no file of secrets."""
    found = list[tuple[int, int, int]]()
    for file in files:
        try:
            stat = file.stat()
        except FileNotFoundError:
            found.append((0, 0, 0))
        except OSError:
            return None
        else:
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)
