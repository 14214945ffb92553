"""`assay receipt show`: what the gate has answered about an event, and where the event lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.gate.receipt_search import receipts_named
from assay.app.gate.segment_rows import by_index_of, none_ruled_out
from assay.app.gate.spool import unseen
from assay.app.report.paid import event_id_of
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line

app = plain_app("Show the receipts of the gate.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay receipt`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay receipt") or 0)


@app.callback()
def receipt() -> None:
    """Show the receipts of the gate."""


@app.command(short_help="show every receipt of an id")
def show(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="receipt_id, the event_id of a payment, label or fact, or a payment's id in the file")
    ],
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the receipts as JSON")] = False,
) -> None:
    """Show every receipt of this id: admitted, duplicate or quarantined, when, where on the bus, under which policy.

    Example: assay receipt show pay-1 --run runs/live
    """
    wired = Run.load(run)
    found = _found(wired, wanted)
    if not found:
        what, remedy = (
            f"the gate has no receipt with the id {wanted!r}",
            "Take an event_id that was posted, an id of the payments' file, or a receipt_id.",
        )
        away = unseen(wired)
        remedy = f"{remedy} Not all can be seen from here: {away}." if away else remedy
        raise Stop(Reason.RECEIPT_NOT_FOUND, what, where=str(run), remedy=remedy)
    if as_json:
        say_json(found)
        return
    for one in found:
        _show(one)


def _found(run: Run, wanted: str) -> list[dict[str, Any]]:
    """Receipts of an id. Before there are none, the segments are read that the index rules out."""
    event_id = wanted
    for out in (by_index_of(run), none_ruled_out):
        if found := list(receipts_named(run, wanted, out)):
            return found
        event_id = event_id_of(run, wanted) if event_id == wanted else event_id
        if event_id != wanted and (found := list(receipts_named(run, event_id, out))):
            return found
    return []


def _show(one: dict[str, Any]) -> None:
    place = one.get("eb_ref")
    facts = {
        "receipt": one["receipt_id"],
        "answered at": one["admitted_at_utc"],
        "event time": one["ts_utc"],
        "sent by": _actor(one),
        "place": f"{place['topic']}[{place['partition']}]@{place['offset']}" if place else "",
        "line": f"{one['segment']}, row {one['row']}" if "segment" in one else "",
        "payload hash": one.get("payload_hash"),
        "because": ", ".join(one["reason_codes"]),
        "detail": one.get("detail"),
        "at": one.get("where"),
        "remedy": one.get("remedy"),
        "policy": f"{one['policy_rev']['policy_id']} r{one['policy_rev']['revision']}",
        "run config": one["run_config_digest"],
        "gate's policy": _gates_policy(one),
    }
    say(f"{one['decision']}  {one_line(one['event_type'])} {one_line(one['event_id'])}")
    for name, value in facts.items():
        if value:
            say(f"  {name:<14} {one_line(str(value))}")


def _gates_policy(one: dict[str, Any]) -> str:
    policy = one["admission_policy"]
    return f"{policy['policy_id']} r{policy['revision']}, sha256 {policy['content_digest']}"


def _actor(one: dict[str, Any]) -> str:
    """Who sent it, as its credentials said; empty in a receipt of an older version."""
    actor = one.get("actor")
    return f"{actor['actor_id']} ({actor['auth_mode']}, {actor['principal']})" if actor else ""
