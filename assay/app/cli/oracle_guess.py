"""`assay oracle guess`: a first mapping of somebody's file, with the reason of each line and what the file does not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.headers import HEADER
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.mapping import TODO, parse_mapping
from assay.app.screen import say
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def guess_file(
    file: Annotated[Path, typer.Argument(help="a .csv, .tsv, .jsonl or .parquet file of payments, or a folder of .parquet files")],
    out: Annotated[Path | None, typer.Option(help="write the mapping to this new file instead of printing it")] = None,
    answers: Annotated[
        list[str] | None, typer.Option("--set", help="say what the file does not tell, as time.zone=UTC; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print lines, reasons and open questions as JSON")] = False,
) -> int:
    """Guess the mapping of a file of payments from its columns and some thousand of its rows.

    Each line of the mapping has its reason above it. What the file does not tell stands as TODO, and the import refuses it.

    Example: assay oracle guess payments.csv --out mine.yaml --set time.zone=UTC
    """
    names, others = _header(answers or [])
    sample = read_sample(file, header=names)
    if names and not any(line.place == HEADER for line in sample.form):
        raise typer.BadParameter(f"--set {HEADER}: only a CSV may lack a header")
    found = guess(sample, file.name.split(".")[0])
    found = Guess(said(found.leaves, _answers(others, found)), found.notes)
    heading = f"Guessed by `assay oracle guess` from {sample.read} of {file.name}. The reason of each line stands above it."
    text = document(found, heading)
    if not found.open:
        parse_mapping(text, str(out or file))
    if out is not None:
        _write(out, text)
    if as_json:
        say(json.dumps(_facts(found, sample.read, text), indent=1))
    elif out is None:
        say(text, end="")
    _tell(found, sample.read, file, out)
    return 0


def _header(given: list[str]) -> tuple[list[str], list[str]]:
    """The names of the columns of a file without a header, and the other answers."""
    named = [one for one in given if one.startswith(f"{HEADER}=[")]
    read = _value(named[-1].partition("=")[2]) if named else []
    if not isinstance(read, list):
        raise typer.BadParameter(f"--set {named[-1]}: expected a list of names, as in [id, time, amount]")
    return [str(name) for name in read], [one for one in given if one not in named]


def _answers(given: list[str], found: Guess) -> dict[str, Any]:
    """Place → value. A value is written as in the mapping."""
    places = [leaf.place for leaf in found.open]
    answers = {}
    for one in given:
        place, equals, value = one.partition("=")
        if not equals or place not in places:
            known = f"it asks for {', '.join(dict.fromkeys(places))}" if places else "it leaves nothing open"
            raise typer.BadParameter(f"--set {one}: the guess has no question of this name; {known}")
        if place == HEADER and value != "false":
            raise typer.BadParameter(f"--set {one}: expected the names in brackets, as in [id, time, amount], or false")
        answers[place] = False if place == HEADER else _value(value)
    return answers


def _value(text: str) -> Any:
    """Lists, numbers and words as YAML reads them; times, days and truth values as the text that they are."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, list | int) and not isinstance(value, bool) else text


def _write(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        remedy = "Name a file that is not there: nothing is overwritten."
        raise Stop(Reason.OUTPUT_FILE_TAKEN, "there is a file of this name", where=str(out), remedy=remedy) from None


def _facts(found: Guess, read: str, text: str) -> dict[str, Any]:
    lines = [{"place": leaf.place, "value": leaf.value, "why": leaf.why, "ask": leaf.ask or None} for leaf in found.leaves]
    return {"read": read, "lines": lines, "open": [leaf.place for leaf in found.open], "notes": found.notes, "mapping": text}


def _tell(found: Guess, read: str, file: Path, out: Path | None) -> None:
    """What was read, what the file does not tell, and what to do next; on stderr, so that the mapping can be piped."""
    lines = [f"read {read} of {file}"]
    if found.open:
        lines.append(f"the file does not tell ({TODO} in the mapping):")
        lines += [f"  {leaf.place}: {leaf.ask}" for leaf in found.open]
    lines += [f"note: {note}" for note in found.notes]
    name = out or "mine.yaml"
    lines.append(f"next: {f'replace {TODO} in {name}, then ' if found.open else ''}assay oracle import {file} --mapping {name} --out STORE")
    say("\n".join(lines), error=True)
