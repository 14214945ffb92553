"""Lines of the gate's machine that are durable and not sealed yet, beside those that the object store has.

The open file takes lines. When it is full or old it is closed: its lines are then under a name of their own until the store has them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectStore

#: a folder with an object for each process of a gate, from its start until it has sealed its last line. Who finds one looks at a run whose
#: last lines may be on the gate's machine only. Runs that keep their store in their own directory have none.
OPEN: Final = "ig/open"
_CLOSED: Final = re.compile(r"\.closed-\d+$")


def log_of(prefix: str, process: str) -> str:
    """The log of one process of a gate below that of the first one, which has no name."""
    return f"{prefix}/{process}" if process else prefix


def spool_of(directory: Path, prefix: str) -> Path:
    """The open file of one of these logs, in the directory of its run."""
    return directory / "spool" / f"{prefix.removeprefix('ig/').replace('/', '.')}.ndjson"


def logs_here(directory: Path, prefix: str) -> list[str]:
    """The logs of all processes that have files of this log on this machine, the first one first."""
    first = spool_of(directory, prefix)
    stems = {_CLOSED.sub("", path.stem) for path in first.parent.glob(f"{first.stem}*.ndjson")} | {first.stem}
    return [log_of(prefix, stem.removeprefix(first.stem).removeprefix(".")) for stem in sorted(stems)]


def closed_files(spool: Path) -> list[Path]:
    """Files that were closed and are not in the store, the oldest first."""
    return sorted(spool.parent.glob(f"{spool.stem}.closed-*.ndjson"))


def closed_name(spool: Path, number: int) -> Path:
    """The name of a closed file; later ones have higher numbers."""
    return spool.with_name(f"{spool.stem}.closed-{number:08d}.ndjson")


def written(store: ObjectStore, directory: Path, prefix: str) -> Iterator[bytes]:
    """Whole lines of one log, file by file, the oldest first; the files of this machine come last."""
    return (data for _, data in placed(store, directory, prefix))


def placed(store: ObjectStore, directory: Path, prefix: str, without: Collection[str] = ()) -> Iterator[tuple[str, bytes]]:
    """The same as (key in the store, lines), `without` the segments of these keys. The key of a file of this machine is empty.

    Files are read first, as they may be sealed meanwhile: a line may come twice, and none is missed.
    """
    here = {log: unsealed(directory, log) for log in logs_here(directory, prefix)}
    last = dict.fromkeys(here, b"")
    for key in store.keys(prefix):
        if key in without:
            continue
        data = store.read(key)
        last[key.rpartition("/")[0]] = data
        yield key, data
    for log, held in here.items():
        first = 1 if held and held[0] == last[log] else 0  # its gate was killed before it could remove the file
        yield from (("", data) for data in held[first:])


def unsealed(directory: Path, prefix: str) -> list[bytes]:
    """Whole lines of the files of this machine, the open file last. A line that a crash has torn was never acknowledged."""
    spool = spool_of(directory, prefix)
    open_lines = _whole_lines(spool)
    found = [*map(_whole_lines, closed_files(spool)), open_lines]
    return [data for data in found if data]


def _whole_lines(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # there is none, or it is sealed by now
        return b""
    data = data.partition(b"\0")[0]  # behind a gap that a power failure left, nothing was acknowledged
    return data[: data.rfind(b"\n") + 1]


def unseen(run: Run) -> str:
    """Why there may be lines that cannot be seen from this machine, empty if there are none."""
    if not run.store_root or spool_of(run.directory, "receipts").exists():
        return ""
    if not any(run.store.keys(OPEN)):
        return ""
    return "the gate runs on another machine, or was killed there: its last lines are not in the store yet"
