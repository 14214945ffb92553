"""`assay gate vault`: look up the token of an id, and erase a subject. No id is an argument: `ps` shows those."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.app.settings import load_settings
from assay.app.vault import operating
from assay.app.vault.key import Subject, VaultKey, vault_key
from assay.app.vault.operating import Told
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

app = plain_app("Look up tokens of ids, and erase subjects.", no_args_is_help=True)

RunOption = Annotated[Path, typer.Option(help="directory of a run that uses the vault")]
EntityOption = Annotated[str, typer.Option(help="name of the entity, as card")]
FileOption = Annotated[Path | None, typer.Option(help="file with an id on each line")]
StdinOption = Annotated[bool, typer.Option("--id-stdin", help="read ids from stdin, one on each line")]
JsonOption = Annotated[bool, typer.Option("--json", help="for programs")]


@app.callback()
def vault() -> None:
    """Look up tokens of ids, and erase subjects."""


@app.command(short_help="the token of an id")
def show(
    run: RunOption, entity: EntityOption, id_file: FileOption = None, *, id_stdin: StdinOption = False, as_json: JsonOption = False
) -> None:
    """Show the token that stands for each id in the run. An id that the vault does not know ends it with VAULT_SUBJECT_UNKNOWN.

    Example: assay gate vault show --run runs/live --entity card --id-stdin
    """
    _each(operating.look_up, run, entity, _ids(id_file, id_stdin=id_stdin), as_json=as_json)


@app.command(short_help="forget whom a token stands for")
def erase(
    run: RunOption, entity: EntityOption, id_file: FileOption = None, *, id_stdin: StdinOption = False, as_json: JsonOption = False
) -> None:
    """Delete subjects from the vault, for all runs of its database, and record it. What was erased before stays erased.

    Example: assay gate vault erase --run runs/live --entity card --id-file ids.txt
    """
    _each(operating.erase, run, entity, _ids(id_file, id_stdin=id_stdin), as_json=as_json)


def _each(
    work: Callable[[str, VaultKey, Sequence[Subject]], list[Told]], run: Path, entity: str, ids: Sequence[str], *, as_json: bool
) -> None:
    wired = Run.load(run)
    found = work(wired.dsn, vault_key(load_settings()), [(entity, one) for one in ids])
    if as_json:
        say_json([_facts(number, one) for number, one in enumerate(found, start=1)])
    else:
        for number, one in enumerate(found, start=1):
            say(f"id {number}: {_words(one)}")
    unknown = [str(number) for number, one in enumerate(found, start=1) if one.state == "UNKNOWN"]
    if unknown:
        what = f"the vault does not know {len(unknown):,} of {len(found):,} ids as {entity}"
        remedy = "Check entity and id: each counts to the letter. An id that was never admitted has no token."
        raise Stop(Reason.VAULT_SUBJECT_UNKNOWN, what, where=f"id {', '.join(unknown[:20])}", remedy=remedy)


def _ids(file: Path | None, *, id_stdin: bool) -> list[str]:
    """The ids, without blanks around them. Raises Stop(SETTING_INVALID, INPUT_FILE_MISSING)."""
    if (file is None) != id_stdin:
        remedy = "Give --id-file FILE or --id-stdin, with an id on each line."
        raise Stop(Reason.SETTING_INVALID, "ids come from a file or from stdin", where="--id-file, --id-stdin", remedy=remedy)
    try:
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Stop(
            Reason.INPUT_FILE_MISSING, "the file of ids cannot be read", where=str(file), remedy="Give a text file in UTF-8."
        ) from None
    ids = [line.strip() for line in text.splitlines() if line.strip()]
    if not ids:
        raise Stop(Reason.SETTING_INVALID, "there is no id", where=str(file or "stdin"), remedy="Write an id on each line.")
    return ids


def _words(one: Told) -> str:
    if one.state == "UNKNOWN":
        return "unknown"
    if one.state == "ERASED":
        return f"erased {'now' if one.erased_now else 'before'}, at {_text(one.erased_at)}"
    earlier = f"; an earlier subject of this id was erased at {_text(one.erased_at)}" if one.erased_at else ""
    return f"{one.token} since {_text(one.created_at)}{earlier}"


def _facts(number: int, one: Told) -> dict[str, Any]:
    told = {"id": number, "state": one.state, "token": one.token, "created_at": _text(one.created_at), "erased_at": _text(one.erased_at)}
    return told | {"erased_now": one.erased_now}


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
