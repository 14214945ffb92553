"""The engine as the runner calls it: a process that makes a world in a folder, and the receipt that it leaves there."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: how often a running engine is looked at, and how long it may take to end when it is told to
_POLL_S, _GRACE_S = 0.2, 10.0
RECEIPT = "run_receipt.json"
_RECEIPT_KEYS = ("manifest_fingerprint", "parameter_hash", "seed")


class Attempt(NamedTuple):
    """One attempt to make a world; `attempt_id` is the engine's request id."""

    run_id: str
    attempt_no: int
    attempt_id: str
    manifest_fingerprint: str
    parameter_hash: str
    seed: int
    scenario_id: str
    engine_run_root: str

    def invocation(self) -> dict[str, Any]:
        """What the engine is asked for, as the attempt's document says it."""
        left_out = ("run_id", "attempt_no", "attempt_id")
        return {"request_id": self.attempt_id, **{name: value for name, value in self._asdict().items() if name not in left_out}}


class Outcome(NamedTuple):
    """How an attempt ended: no reason for success. `why` is for people; the outputs are kept as they are."""

    reason: Reason | None = None
    why: str = ""
    stdout: bytes = b""
    stderr: bytes = b""


class Engine(Protocol):
    """Makes the world of an attempt. `keep` is called while it runs."""

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        """Run to an end, of whatever kind. Raises what `keep` raises, and then the engine was ended."""


class ProcessEngine:
    """An engine that is a command: `command(attempt)` gives its list of arguments, `store_of(root)` the store of a folder.

    The command may raise Stop(ENGINE_INVOCATION_INVALID).
    """

    def __init__(
        self, command: Callable[[Attempt], Sequence[str]], store_of: Callable[[str], ObjectStore], timeout_s: float = 3_600.0
    ) -> None:
        self._command, self._store_of, self._timeout_s = command, store_of, timeout_s

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        """Run the command until its end or the time-out, and read its receipt."""
        try:
            arguments = list(self._command(attempt))
        except Stop as refusal:
            return Outcome(refusal.reason, refusal.what)
        with tempfile.TemporaryDirectory() as room:
            told = Path(room) / "stdout", Path(room) / "stderr"
            reason, why = self._run(arguments, told, keep)
            stdout, stderr = (path.read_bytes() for path in told)
        if reason is None:
            reason, why = fault_of_receipt(self._store_of(attempt.engine_run_root), attempt)
        return Outcome(reason, why, stdout, stderr)

    def _run(self, arguments: list[str], told: tuple[Path, Path], keep: Callable[[], object]) -> tuple[Reason | None, str]:
        with told[0].open("wb") as stdout, told[1].open("wb") as stderr:
            try:
                process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
            except OSError as error:
                return Reason.ENGINE_COMMAND_MISSING, f"the command cannot be started: {error.strerror}"
            ends_s = time.monotonic() + self._timeout_s
            try:
                while process.poll() is None and time.monotonic() < ends_s:
                    keep()
                    try:
                        process.wait(_POLL_S)
                    except subprocess.TimeoutExpired:
                        continue
            finally:
                late = process.poll() is None
                _end(process)
        if late:
            return Reason.ENGINE_TIMEOUT, f"the engine had not ended after {self._timeout_s:g} s"
        return (Reason.ENGINE_EXIT_NONZERO, f"the engine ended with status {process.returncode}") if process.returncode else (None, "")


def fault_of_receipt(store: ObjectStore, attempt: Attempt) -> tuple[Reason | None, str]:
    """What is wrong with the receipt that an engine left in its folder."""
    try:
        receipt = json.loads(store.read(RECEIPT))
        found = {name: receipt[name] for name in _RECEIPT_KEYS}
    except FileNotFoundError:
        return Reason.ENGINE_RECEIPT_MISSING, f"there is no {RECEIPT} in {attempt.engine_run_root}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Reason.ENGINE_RECEIPT_INVALID, f"{RECEIPT} cannot be read: {type(error).__name__}"
    wrong = [name for name in _RECEIPT_KEYS if found[name] != attempt._asdict()[name]]
    return (Reason.ENGINE_RECEIPT_MISMATCH, f"the engine made a world of another {', '.join(wrong)}") if wrong else (None, "")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
