"""`assay world`: make a synthetic bank, and check a made one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.cli.world_prune import prune
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say_json
from assay.app.stores.places import S3, store_of
from assay.app.world.campaigns import SEEDS_LEAST
from assay.app.world.generation import SCALES, SEGMENTS, generate_world
from assay.app.world.pack import identity_in
from assay.app.world.payments import write_payments
from assay.app.world.proof import proofs
from assay.app.world.report import report_world
from assay.contracts.exit_codes import DONE, REFUTED
from assay.contracts.traffic_modes import MODES, TrafficName

_SEEDS = "other seeds whose campaigns are a yardstick for this world's; 8 for tiny and small, else 0, if left out"
JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]

app = plain_app("Make a synthetic bank, and prove what it is.", no_args_is_help=True)

app.command("prune", short_help="remove worlds that nobody keeps")(prune)


def main(arguments: list[str]) -> int:
    """Run `assay world`."""
    return app(arguments, standalone_mode=False, prog_name="assay world") or 0


@app.command("generate", short_help="make a world")
def generate(
    out: Annotated[str, typer.Option(help="an empty folder or s3://bucket/prefix, or that of a cut-off call")],
    scale: Annotated[str, typer.Option(help=f"one of: {', '.join(SCALES)}")] = "tiny",
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes on every machine")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="parts that are made at once; the bytes do not depend on it")] = 2,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a synthetic bank: parties, accounts, cards, devices, payments, fraud, truth, what the bank saw, cases. It is sealed last.

    Example: assay world generate --scale small --seed 7 --out world
    """
    console = Screen(stderr=as_json)
    with ProgressLine("making", 0, console, time.monotonic) as line:

        def told(where: str, done: int, total: int) -> None:
            line.show(done, where, total)

        made = generate_world(store_of(out), scale, seed, workers, time.time_ns() // 1_000, told)
    if as_json:
        say_json(made.facts())
        return
    for one in made.times:
        console.print(f"  {one.segment_id} {one.state:<4} {one.seconds:7.1f} s  {one.rows:>13,} rows", highlight=False)
    console.print(f"  sealed as   {made.pack_id}", highlight=False, soft_wrap=True)
    console.print(f"  fingerprint {made.identity.manifest_fingerprint}", highlight=False, soft_wrap=True)
    console.print(f"  next: assay world check {out}", highlight=False, soft_wrap=True)


@app.command("check", short_help="prove what a world is")
def check(
    place: Annotated[str, typer.Argument(help="the folder or s3://bucket/prefix of a made world")], *, as_json: JsonOption = False
) -> int:
    """Prove gates, bytes and keys of a made world, and that its arrivals, flows, events and labels belong together.

    Example: assay world check world
    """
    console = Screen(stderr=as_json)
    store = store_of(place)
    identity, scale = identity_in(store)
    found: list[dict[str, Any]] = []
    with ProgressLine("checking", 0, console, time.monotonic) as line:
        for proof in proofs(store, SEGMENTS, identity, lambda done, total: line.show(done, "", total)):
            found.append({"claim": proof.claim, "holds": proof.holds, "breaches": proof.breaches, "detail": proof.detail})
            if not as_json:
                mark = "✓" if proof.holds else f"✗ {proof.breaches:,} times not:"
                console.print(f"  {mark} {proof.claim} ({proof.detail})", highlight=False, soft_wrap=True)
    if as_json:
        say_json({"manifest_fingerprint": identity.manifest_fingerprint, "scale": scale, "proofs": found})
    return DONE if all(one["holds"] for one in found) else REFUTED


@app.command("report", short_help="write a page that shows how real a world is")
def report(
    place: Annotated[str, typer.Argument(help="the folder or s3://bucket/prefix of a made world")],
    output: Annotated[Path | None, typer.Option(help="the HTML file; report.html in the folder, or here for a bucket, if left out")] = None,
    seeds: Annotated[int | None, typer.Option(min=0, help=_SEEDS)] = None,
    *,
    as_json: JsonOption = False,
) -> int:
    """Measure a made world, hold each figure to its corridor, and write a page with figures and pictures. 1 if a figure lies outside.

    Example: assay world report world
    """
    console = Screen(stderr=as_json)
    page = output or (Path() if place.startswith(S3) else Path(place)) / "report.html"
    if seeds is not None and 0 < seeds < SEEDS_LEAST - 1:
        raise typer.BadParameter(f"at least {SEEDS_LEAST - 1} other seeds make a distance; 0 leaves it out", param_hint="--seeds")
    with ProgressLine("measuring", 0, console, time.monotonic) as line:

        def told(where: str, done: int, total: int) -> None:
            line.show(done, where, total)

        measures = report_world(store_of(place), page, seeds, told)
    if as_json:
        say_json(
            [{"group": m.group, "measure": m.name, "value": m.value, "least": m.least, "most": m.most, "holds": m.holds} for m in measures]
        )
    else:
        for m in measures:
            console.print(
                f"  {'✓' if m.holds else '✗'} {m.group:<11} {m.name:<27} {m.value:12.6g}   {m.least:g} to {m.most:g}", highlight=False
            )
        console.print(f"  page {page}", highlight=False, soft_wrap=True)
    return DONE if all(m.holds for m in measures) else REFUTED


@app.command("payments", short_help="write the payments of a world as one file")
def payments(
    place: Annotated[str, typer.Argument(help="the folder or s3://bucket/prefix of a made world")],
    out: Annotated[Path, typer.Option(help="the .parquet file to write")],
    mode: Annotated[TrafficName, typer.Option(help="traffic with fraud, or without")] = TrafficName.FRAUD,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the payments of a made world as one file; import it with the mapping `world`. Labels are what the bank saw, when it knew.

    The two traffics of a world are never mixed: a payment of one has its twin in the other.

    Example: assay world payments world --out payments.parquet
    """
    rows = write_payments(store_of(place), SEGMENTS, out, MODES[mode])
    if as_json:
        say_json({"file": str(out), "rows": len(rows), "mapping": "world"})
        return
    console = Screen()
    console.print(f"  wrote {len(rows):,} payments to {out}", highlight=False, soft_wrap=True)
    console.print(f"  next: assay demo --input {out} --mapping world", highlight=False, soft_wrap=True)
