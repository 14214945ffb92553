"""`assay quarantine list | show`: what the gate refused of a run, and why; what its lanes set aside, too, if Kafka is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.gate.spool import unseen
from assay.app.report.decision_search import on_bus
from assay.app.report.gate_lines import Refused, refused_items
from assay.app.report.originals import ReadRange, of_run, originals
from assay.app.report.paid import event_id_of
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.codecs.quarantine import LaneLetter, lane_letter, place_without_bytes
from assay.contracts.errors import Stop
from assay.contracts.handles import QUARANTINE
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line

app = plain_app("List and show what was refused of a run.", no_args_is_help=True)

RunOption = Annotated[Path, typer.Option(help="directory of the run")]
JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]


class Listed(NamedTuple):
    """An entry of the list; `id` is what `show` takes, or the record's place on the bus."""

    id: str
    by: str
    event_id: str
    what: str
    reason: str
    detail: str
    where: str
    at_utc: str
    #: the payment that a label names
    subject: str = ""


def main(arguments: list[str]) -> int:
    """Run `assay quarantine`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay quarantine") or 0)


@app.command("list", short_help="list what was refused, with the reasons counted")
def list_(
    run: RunOption,
    *,
    limit: Annotated[int, typer.Option(min=0, help="entries to print")] = 20,
    reason: Annotated[str, typer.Option(help="entries of this reason only")] = "",
    bus: Annotated[bool, typer.Option("--bus", help="also what the lanes set aside, which Kafka has")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what the gate refused, once however often it was sent, in the order it came.

    Example: assay quarantine list --run runs/live --reason ENTITY_MISSING
    """
    wired, counts, chosen = Run.load(run), Counter[str](), list[tuple[Listed, bytes]]()
    for entry, letter in _entries(wired, bus=bus):
        counts[entry.reason] += 1
        if len(chosen) < limit and reason in ("", entry.reason):
            chosen.append((entry, letter))
    shown = with_ids(chosen, of_run(wired))
    if as_json:
        entries = [entry._asdict() for entry in shown]
        say_json({"total": counts.total(), "by_reason": dict(counts.most_common()), "entries": entries})
        return
    if not counts:
        say("nothing is in quarantine" if bus else "the gate refused nothing; what the lanes set aside is on the bus: --bus")
        _say_unseen(wired)
        return
    say(" · ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    for entry in shown:
        _show(entry)
    rest = (counts[reason] if reason else counts.total()) - len(shown)
    if rest:
        say(f"\nand {rest:,} more: --limit")
    _say_unseen(wired)


@app.command(short_help="show a refused item as it came, with the reason")
def show(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="quarantine_id, event_id or the payment's id in the file, also as a label names it")
    ],
    run: RunOption,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every refused item of this id: the reason, the place in the item, the remedy, and the item as it came.

    Example: assay quarantine show pay-17 --run runs/live
    """
    wired = Run.load(run)
    found = _called(wired, wanted) or _called(wired, event_id_of(wired, wanted))
    if not found:
        remedy = "`assay quarantine list` has the ids; what the lanes set aside is listed with --bus."
        remedy += f" Not all can be seen from here: {away}." if (away := unseen(wired)) else ""
        raise Stop(Reason.RECEIPT_NOT_FOUND, f"the gate refused nothing with the id {wanted!r}", where=str(run), remedy=remedy)
    if as_json:
        say_json([item.whole for item in found])
        return
    for item in found:
        _show(_of_gate(item))
        say(f"  {one_line(item.remedy)}" if item.remedy else "  (no remedy)")
        say_json(_as_it_came(item.whole))


def _say_unseen(run: Run) -> None:
    away = unseen(run)
    if away:
        say(f"\nthere may be more: {away}")


def _called(run: Run, wanted: str) -> list[Refused]:
    """Refused items of this id, and labels of a payment of this id."""
    return [item for item in refused_items(run) if item.is_called(wanted) or item.subject == wanted]


def _entries(run: Run, *, bus: bool) -> Iterator[tuple[Listed, bytes]]:
    """Entries, each with its letter; with no bytes for an item of the gate."""
    yield from ((_of_gate(item), b"") for item in refused_items(run))
    if bus:
        values = on_bus(run, QUARANTINE, properties_of(run, BusUser.READER))
        yield from ((_of_lane(lane_letter(value)), value) for value in values if value is not None)


def with_ids(entries: Sequence[tuple[Listed, bytes]], read: ReadRange) -> list[Listed]:
    """Entries with the ids of records whose letters have no bytes, read from their places on the bus, as far as it still has them."""
    places = [place_without_bytes(letter) if letter else None for _, letter in entries]
    found = originals((place for place in places if place is not None), read)
    return [
        entry if place is None else _of_lane(lane_letter(letter, found.get(place, b"")))
        for (entry, letter), place in zip(entries, places, strict=True)
    ]


def _of_gate(item: Refused) -> Listed:
    return Listed(
        item.quarantine_id, "gate", item.event_id, item.event_type, item.reason, item.detail, item.where, item.received_at_utc, item.subject
    )  # fmt: skip


def _of_lane(of: LaneLetter) -> Listed:
    return Listed(of.place, "lane", of.event_id, of.record, of.reason, of.detail, of.place, of.recorded_at_utc, of.subject)


def _show(entry: Listed) -> None:
    """The reason, the item and its id, a line each."""
    of_payment = f" of payment {one_line(entry.subject)}" if entry.subject else ""
    say(f"\n{entry.reason} · {one_line(entry.what)} {one_line(entry.event_id)}{of_payment}")
    say(f"  {one_line(entry.detail)}" + (f" (at {one_line(entry.where)})" if entry.where else ""))
    say(f"  {entry.by} · {entry.at_utc} · {entry.id}")


def _as_it_came(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in ("envelope", "item_base64") if name in whole}
