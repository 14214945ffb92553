"""`assay world prune`: packs that nobody keeps are removed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.housekeeping.packs import PackFound, prunable, remove_pack, total_bytes
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say, say_json
from assay.app.settings import load_settings
from assay.app.stores.places import store_of
from assay.contracts.visible import one_line

MB = 1_000_000


def prune(
    root: Annotated[str, typer.Argument(help="folder or s3://bucket/prefix with packs below it")],
    keep: Annotated[
        list[str],
        typer.Option(metavar="FINGERPRINT[:SEED]", help="a world that stays; without a seed, those of all seeds; may be given again"),
    ],
    runs: Annotated[Path | None, typer.Option(help="directory that holds the runs, whose worlds stay (default: ASSAY_RUNS)")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Remove every pack below a root but those that are kept. It asks first; nothing can be brought back.

    A pack that a run refers to is refused, and then nothing is removed.

    Example: assay world prune worlds --keep 3f6e… --keep 9a01…:7
    """
    store = store_of(root)
    staying, going = prunable(store, keep, runs or load_settings().runs)
    if going and not yes and (as_json or not sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked here: give --yes")
    if not as_json:
        for what, packs in (("stays", staying), ("goes", going)):
            for pack in packs:
                say(f"  {what:<5}  {_told(pack)}")
    removed = bool(going) and (yes or typer.confirm(f"remove {len(going)} packs ({total_bytes(going) / MB:,.1f} MB)?", err=True))
    if removed:
        with ProgressLine("removing", sum(pack.objects for pack in going), Screen(stderr=as_json), time.monotonic) as line:
            before = 0
            for pack in going:
                remove_pack(store, pack, lambda done, before=before: line.show(before + done))  # type: ignore[misc]
                before += pack.objects
    freed = total_bytes(going) if removed else 0
    if as_json:
        say_json({"removed": [pack._asdict() for pack in going], "kept": [pack._asdict() for pack in staying], "freed_bytes": freed})
    else:
        say(f"freed {freed / MB:,.1f} MB" if removed else "nothing was removed")


def _told(pack: PackFound) -> str:
    facts = f"seed {pack.seed}  {pack.objects:,} files  {pack.size_bytes / MB:,.1f} MB"
    return f"{one_line(pack.folder)}  {pack.manifest_fingerprint[:12]}…  {facts}"
