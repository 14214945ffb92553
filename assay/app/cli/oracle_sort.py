"""`assay oracle sort`: sorted views of the outputs of a generated world, for streamers and for batch readers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from assay.app.pack.sealed_pack import open_pack
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say_json
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.places import store_of
from assay.app.stream_view.pinned_keys import SORT_KEYS
from assay.app.stream_view.sorting import Room
from assay.app.stream_view.view import SortedView, ViewSorter, sortable

#: what Python and its libraries take of the memory before there is a row
OWN_MIB = 256
#: a part of a view is written as a whole
MEMORY_MIB_MIN = 768


def sort_outputs(
    place: Annotated[str, typer.Argument(help="folder or s3://bucket/prefix of a generated pack")],
    output: Annotated[list[str] | None, typer.Option(help="an output to sort, may be repeated; all that stream if left out")] = None,
    memory_mib: Annotated[int, typer.Option(min=MEMORY_MIB_MIN, help="memory to stay within; the files do not depend on it")] = 2048,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Sort outputs of a made world into `stream_view/`, without the columns that tell the truth. A sorted output is left as it is.

    Example: assay oracle sort world --output s3_event_stream_with_fraud_6B
    """
    console = Screen(stderr=as_json)
    store = store_of(place)
    spill = store.root if isinstance(store, DirectoryStore) else Path(tempfile.gettempdir())
    pack = open_pack(store)
    views = []
    for output_id in output or sortable(pack):
        began_s = time.monotonic()
        total = 2 * sum(part.rows for part in pack.parts(pack.output(output_id)))
        with ProgressLine(output_id, total // 2, console, time.monotonic) as line:
            room = Room((memory_mib - OWN_MIB) << 20, spill)
            view = ViewSorter(pack, store, room, lambda: time.time_ns() // 1_000, _counted(line)).sort(output_id)
        took = {"wall_s": round(time.monotonic() - began_s, 3), "steps_s": room.steps.seconds()}
        views.append({**view.receipt, "kept": view.kept, "spilled_bytes": view.spilled_bytes, **took})
        if not as_json:
            console.print(_said(view, time.monotonic() - began_s), highlight=False, soft_wrap=True)
    if as_json:
        say_json({"oracle_pack_id": pack.identity.pack_id, "views": views})


def _counted(line: ProgressLine) -> Callable[[int], object]:
    """A row is done when it was read and published: it is told twice."""
    told = 0

    def tell(rows: int) -> None:
        nonlocal told
        told += rows
        line.show(told // 2)

    return tell


def _said(view: SortedView, wall_s: float) -> str:
    """A line of 80 columns, and one of what was left out."""
    rows, keys = view.receipt["raw_stats"]["row_count"], SORT_KEYS[view.output_id]
    how = "as it was" if view.kept else f"{rows / max(wall_s, 1e-9):,.0f}/s"
    more = f"without {', '.join(dropped)}" if (dropped := view.receipt["dropped_columns"]) else ""
    if view.spilled_bytes:
        more += f"{'; ' if more else ''}{view.spilled_bytes >> 20:,} MiB did not fit into memory"
    line = f"  {view.output_id:<29} {rows:>11,} rows by {', '.join(keys)}, {how}"
    return f"{line}\n    {more}" if more else line
