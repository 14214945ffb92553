"""`assay world`: make a synthetic bank, and check a made one."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say_json
from assay.app.stores.places import store_of
from assay.app.world.generation import SCALES, generate_world
from assay.app.world.pack import identity_in
from assay.app.world.proof import proofs
from assay.contracts.exit_codes import DONE, REFUTED
from assay.engine.graph import SEGMENTS

JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]

app = plain_app("Make a synthetic bank, and prove what it is.", no_args_is_help=True)


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
