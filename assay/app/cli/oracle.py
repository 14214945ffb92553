"""`assay oracle`: import a file of payments as a sealed world, generate such a file, check a sealed world."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from assay.app.cli.oracle_guess import guess_file
from assay.app.cli.oracle_packs import check_place, sync
from assay.app.cli.oracle_sort import sort_outputs
from assay.app.cli.plain_app import plain_app
from assay.app.oracle.generator import SHAPES, generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping, shipped_mappings
from assay.app.oracle.samples.shelf import SAMPLES, write_sample
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.oracle.unnamed import rows_without
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say_json
from assay.app.settings import load_settings
from assay.app.stores.places import store_of
from assay.contracts import instants
from assay.contracts.exit_codes import DONE

JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]

app = plain_app("Turn files of payments into sealed worlds.", no_args_is_help=True)


app.command("sync", short_help="copy a generated pack to another folder or bucket")(sync)
app.command("guess", short_help="write a first mapping of a file")(guess_file)
app.command("sort", short_help="sort the outputs of a generated world for streaming")(sort_outputs)


def main(arguments: list[str]) -> int:
    """Run `assay oracle`."""
    return app(arguments, standalone_mode=False, prog_name="assay oracle") or 0


@app.command("import", short_help="check, sort and seal a file of payments")
def import_file(
    file: Annotated[Path, typer.Argument(help="a .csv, .tsv, .jsonl or .parquet file of payments, or a folder of .parquet files")],
    mapping: Annotated[str, typer.Option(help=f"a YAML file, or one of: {', '.join(shipped_mappings())}")],
    out: Annotated[str, typer.Option(help="root of the object store: a folder, or s3://bucket/prefix")],
    quarantine_rows: Annotated[
        Path | None, typer.Option(help="a new .jsonl file: rows at fault are set aside there instead of refusing the file")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check, sort and seal a file of payments. The same file and mapping give the same world.

    Example: assay oracle import payments.csv --mapping mine.yaml --out store --quarantine-rows bad.jsonl
    """
    console = Screen(stderr=as_json)
    started_s = time.monotonic()

    def step(what: str, done: int, total: int) -> None:
        console.print(f"  {time.monotonic() - started_s:6.1f} s  {what} ({done} of {total} steps)", highlight=False)

    world = import_world(file, load_mapping(mapping), store_of(out), time.time_ns() // 1_000, step, quarantine_rows)
    if as_json:
        say_json(world_facts(world))
        return
    _describe(world, console)
    if quarantine_rows and not world.manifest.aside:
        console.print(f"  no row was at fault: {quarantine_rows} is not written", highlight=False, soft_wrap=True)
    console.print(f"  rate                  {world.manifest.rows / max(time.monotonic() - started_s, 1e-9):,.0f} rows/s", highlight=False)


@app.command("generate", short_help="write a file of generated payments")
def generate_file(
    out: Annotated[Path, typer.Option(help="the .parquet or .csv file to write")],
    shape: Annotated[str, typer.Option(help=f"one of: {', '.join(sorted(SHAPES))}")] = "handbook",
    rows: Annotated[int, typer.Option(help="number of payments, over nine weeks")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same rows on every machine")] = 1,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write a file of generated payments; import it with the mapping of the same name.

    Example: assay oracle generate --out payments.parquet --rows 5000
    """
    frame = generate(shape, rows, seed, out)
    _wrote(len(frame), out, shape, as_json=as_json)


@app.command("sample", short_help="write a small file in the shape of a public data set")
def sample_file(
    name: Annotated[str, typer.Argument(help=f"one of: {', '.join(SAMPLES)}")],
    out: Annotated[Path, typer.Option(help="the .csv file to write; nothing is overwritten")],
    rows: Annotated[int | None, typer.Option(help="number of rows; a few thousand if left out")] = None,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same file on every machine")] = 1,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write a small file in the shape of a public data set: its headers, formats and empty values, and payments that are made up.

    Example: assay oracle sample paysim --out paysim.csv, then assay oracle import paysim.csv --mapping paysim --out store
    """
    count = write_sample(name, rows, seed, out)
    _wrote(count, out, name, as_json=as_json)


@app.command("check", short_help="check a generated pack, or an imported world")
def check(
    world: Annotated[str, typer.Argument(help="folder or s3://bucket/prefix of a generated pack; with --store, a manifest_fingerprint")],
    store: Annotated[str | None, typer.Option(help="object store of an imported world: folder or s3://bucket/prefix")] = None,
    output: Annotated[list[str] | None, typer.Option(help="an output of a pack to check; may be given again (default: all)")] = None,
    *,
    allow_unsealed: Annotated[bool, typer.Option("--allow-unsealed", help="a pack without a seal is a warning")] = False,
    as_json: JsonOption = False,
) -> int:
    """Check seal, gates, digests and locators of a pack. With --store: also that the rows of an imported world are those of its manifest.

    A check of all outputs of a pack that finds nothing writes _ORACLE_CHECK_PASS.json into it.

    Examples: assay oracle check world; assay oracle check FINGERPRINT --store store
    """
    if store is None:
        return check_place(world, output or [], strict=not allow_unsealed, as_json=as_json)
    if output or allow_unsealed:
        raise typer.BadParameter("--output and --allow-unsealed are for generated packs, --store is for imported worlds")
    console = Screen(stderr=as_json)
    found = open_world(store_of(store), world)
    parts = len(found.manifest.stream_view) + len(found.manifest.truth)
    with ProgressLine("checked parts", parts, console, time.monotonic, pace=pace_of(load_settings())) as line:
        for done, _ in enumerate(found.verify(), start=1):
            line.show(done)
    if as_json:
        say_json(world_facts(found))
    else:
        _describe(found, console)
    return DONE


def world_facts(world: SealedWorld) -> dict[str, Any]:
    """What a world is, as JSON-ready values: its manifest without the parts."""
    return world.manifest.model_dump(mode="json", exclude={"stream_view", "truth", "column_digests"})


def _wrote(rows: int, out: Path, mapping: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"rows": rows, "file": str(out), "mapping": mapping})
    else:
        Screen().print(f"wrote {rows:,} rows to {out}; import it with --mapping {mapping}", soft_wrap=True)


def _describe(world: SealedWorld, console: Console) -> None:
    manifest, truth = world.manifest, world.manifest.truth_summary
    facts = {
        "manifest_fingerprint": manifest.manifest_fingerprint,
        "rows": f"{manifest.rows:,}",
        "from": instants.text(manifest.min_ts_us),
        "to": instants.text(manifest.max_ts_us),
        "kinds": ", ".join(f"{kind} {count:,}" for kind, count in manifest.kinds.items()),
        "labels": f"{truth.rows:,}, {truth.positives:,} of them fraud, {truth.emitted:,} told later" if truth else "none",
    }
    if not manifest.entities:
        facts["entities"] = "none: features are kept per entity, so no policy can decide these payments"
    unnamed = rows_without(world, manifest.entities)
    if unnamed:
        facts["without any entity"] = f"{unnamed:,} (no {', no '.join(manifest.entities)}): a run refuses them"
    if manifest.aside:
        facts["set aside"] = ", ".join(f"{code} {count:,}" for code, count in manifest.aside.items())
    for name, value in facts.items():
        console.print(f"  {name:<21} {value}", highlight=False, soft_wrap=True)
