"""A run is removed: its topics, groups and rows on servers that others use, too, then its directory. Servers of its own go with it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from assay.app.bus.topics import delete_groups, delete_topics, groups_there, topics_there
from assay.app.gate.forgetting import forget_run
from assay.app.housekeeping.listing import is_run, processes, user_of
from assay.app.report.gate_lines import receipts_of
from assay.app.run.directory import Run
from assay.app.stores.file_lock import held
from assay.contracts.consumer_groups import groups_of
from assay.contracts.errors import Stop
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason


class Removal(NamedTuple):
    """What goes with a run. `topics` and `groups` on `bootstrap` and rows at `dsn` are those on servers that others use, if there are any.

    `kept` says what stays there, and why. `objects` is the place of the run's objects where it is not in the directory.
    """

    directory: Path
    run: Run | None
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    rows: bool = False
    kept: tuple[str, ...] = ()
    objects: str = ""


_REGISTRY: Final = (
    "in PostgreSQL stay the run's key (sr_run_equivalence, sr_key_last_asked, sr_run_leases), which names this run for ever and no other,"
    " and positions (wsp_checkpoint), which no other run reads"
)


def planned(directory: Path, properties: Mapping[str, str] | None = None, *, local: bool = False) -> Removal:
    """What a removal would do. `local`: the directory only.

    Raises Stop(RUN_MISSING) for what is no run, Stop(DIRECTORY_BUSY) for one that somebody works on, Retry(BROKER_UNREACHABLE).
    """
    if not directory.is_dir() or not is_run(directory):
        what = f"{directory} is not the directory of a run" if directory.exists() else f"there is no directory {directory}"
        raise Stop(Reason.RUN_MISSING, what, where=str(directory), remedy="`assay runs list` names them.")
    user = user_of(directory, processes())
    if user:
        raise Stop(Reason.DIRECTORY_BUSY, f"this run is in use: {user}", where=str(directory), remedy="Stop it first, then remove it.")
    if local or not (directory / "run.json").is_file():
        return Removal(directory, None)
    run = Run.load(directory)
    own_kafka, own_postgres = ((directory / "servers" / name).is_dir() for name in ("kafka", "postgres"))
    topics, groups = tuple[str, ...](), tuple[str, ...]()
    kept: tuple[str, ...] = () if own_postgres else (_REGISTRY,)
    if not own_kafka and run.namespace == f"{run.platform_run_id}.":
        topics = topics_there(run.bootstrap, run.namespace, properties)
        groups = groups_there(run.bootstrap, groups_of(run.namespace, run.platform_run_id), properties)
    elif not own_kafka:
        kept += (f"topics and consumer groups on {run.bootstrap} stay: their namespace {run.namespace!r} may be that of other runs",)
    return Removal(directory, run, topics, groups, not own_postgres, kept, run.place if run.store_root else "")


def remove(plan: Removal, properties: Mapping[str, str] | None = None) -> int:
    """Remove a run; the number of rows that went. The directory goes last: whatever fails before, the same call does again.

    Raises Stop(DIRECTORY_BUSY), Retry(BROKER_UNREACHABLE, INDEX_UNAVAILABLE, STORE_SILENT).
    """
    with held(plan.directory, "assay runs remove"):
        gone = 0
        if plan.run is not None and plan.groups:
            _refuse_members(plan, delete_groups(plan.run.bootstrap, plan.groups, properties))
        if plan.run is not None and plan.topics:
            delete_topics(plan.run.bootstrap, plan.topics, properties)
        if plan.run is not None and plan.rows:
            name = plan.run.platform_run_id
            keys = (dedupe_key(name, one.event_class, one.event_id) for one in receipts_of(plan.run) if one.decision == "ADMIT")
            gone = forget_run(plan.run.dsn, name, keys)
        if plan.run is not None and plan.objects:
            plan.run.store.remove_below("")  # the store of a run begins at the run's own prefix
        shutil.rmtree(plan.directory)
    return gone


def _refuse_members(plan: Removal, busy: list[str]) -> None:
    if busy:
        raise Stop(
            Reason.DIRECTORY_BUSY,
            f"a worker is a member of {', '.join(busy)}",
            where=str(plan.directory),
            remedy="Stop the run's workers wherever they run; one that was killed counts as a member for some seconds more.",
        )
