"""The directory of a run that begins: it stays when the run has begun, and leaves no trace when the start was refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.app.stores.file_lock import held
from assay.contracts.errors import AssayError


@contextmanager
def begun_in(directory: Path, command: str, *, made: bool) -> Iterator[None]:
    """Hold a run's directory for a command. After a refusal it goes if this call `made` it and nothing in it is worth keeping.

    Worth keeping are a run that has its `run.json`, and what the refusal refers to, such as the log of a server.
    """
    with held(directory, command):
        try:
            yield
        except (AssayError, OSError) as error:
            if made and not (directory / "run.json").exists() and not _refers_to(error, directory):
                shutil.rmtree(directory)
            raise


def _refers_to(error: AssayError | OSError, directory: Path) -> bool:
    named = Path(error.where) if isinstance(error, AssayError) else Path(str(error.filename))
    return named.is_file() and named.resolve().is_relative_to(directory.resolve())
