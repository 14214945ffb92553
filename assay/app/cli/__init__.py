"""The `assay` command: one table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from assay import __version__
from assay.app.private_files import keep_private
from assay.app.screen import ReaderGone, leave_quietly, prepare_output, say
from assay.contracts.errors import AssayError, Stop
from assay.contracts.exit_codes import DONE, EXIT_CODES, INTERRUPTED, READER_GONE, USAGE
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line

#: command → (module, function taking the remaining arguments, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("assay.app.cli.demo", "stream a world through Kafka, decide, audit, replay and report"),
    "up": ("assay.app.cli.up", "start everything and decide payments as they are posted"),
    "policy": ("assay.app.cli.policy", "begin and check a policy of your own"),
    "profile": ("assay.app.cli.profile", "show and compare profiles: policy, and where things are"),
    "substrate": ("assay.app.cli.substrate", "start, stop and show Kafka and PostgreSQL"),
    "oracle": ("assay.app.cli.oracle", "turn a file of transactions into a sealed world"),
    "world": ("assay.app.cli.world", "make a synthetic bank and prove what it is"),
    "labels": ("assay.app.cli.labels", "post labels: of a file, or of the world of a run"),
    "worker": ("assay.app.cli.worker", "run the agents of chosen packs under Faust"),
    "gate": ("assay.app.cli.gate", "run the ingestion gate"),
    "key": ("assay.app.cli.key", "show and change the keys of a run's gate"),
    "sr": ("assay.app.cli.sr", "ask the Scenario Runner for a run: plan, evidence, READY"),
    "db": ("assay.app.cli.db", "bring the Scenario Runner's database up to date"),
    "stream": ("assay.app.cli.stream", "stream the payments of a READY world through the gate"),
    "connect": ("assay.app.cli.connect", "feed a bank's own topics through the gate"),
    "replay": ("assay.app.cli.replay", "recompute every decision from the journal and compare"),
    "backtest": ("assay.app.cli.backtest", "what another policy would have decided in a run"),
    "journal": ("assay.app.cli.journal", "show, verify, snapshot and truncate a lane's journal"),
    "audit": ("assay.app.cli.audit", "verify the audit chain"),
    "decision": ("assay.app.cli.decision", "show one decision with its reasons and proof"),
    "receipt": ("assay.app.cli.receipt", "show what the gate answered about an event"),
    "quarantine": ("assay.app.cli.quarantine", "list and show what was refused"),
    "topic": ("assay.app.cli.topic", "print any topic; create the topics"),
    "export": ("assay.app.cli.export", "write decisions as Parquet files for notebooks"),
    "prove": ("assay.app.cli.prove", "count, replay, verify and report a run that has ended"),
    "report": ("assay.app.cli.report", "write the report of a run"),
    "runs": ("assay.app.cli.runs", "list and remove runs"),
    "bench": ("assay.app.cli.bench", "measure the lane and the gate on this machine"),
    "warm": ("assay.app.cli.warm", "compile every kernel for this processor"),
    "contracts": ("assay.app.cli.contracts", "check contracts and write their documentation"),
    "completion": ("assay.app.cli.completion", "print a script that completes commands in your shell"),
}

#: earlier name of a command → its name now
RENAMED = {"run": "sr submit"}

EXIT_CODES_HELP = "\n".join(["exit codes:", *(f"  {one.code:<4} {one.meaning}" for one in EXIT_CODES)])
_FILE_REMEDY = "Correct the path or its permissions, or free space."


def main(argv: list[str] | None = None) -> None:
    """Run one command. Each command module has a `main(arguments: list[str]) -> int`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    prepare_output()
    try:
        raise SystemExit(_run(arguments))
    except ReaderGone:
        leave_quietly()
        raise SystemExit(READER_GONE) from None


def _run(arguments: list[str]) -> int:
    """The exit code of a call, whose refusal is told on standard error."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(_usage())
        return DONE
    if arguments[0] in ("-V", "--version"):
        say(f"assay {__version__}")
        return DONE
    name = arguments.pop(0)
    keep_private()
    if name in RENAMED:
        say(f"assay: no command '{name}'. It is 'assay {RENAMED[name]}' now.", error=True)
        return USAGE
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        say(f"assay: no command '{one_line(name)}'.{meant}\n\n{_usage()}", error=True)
        return USAGE
    try:
        command: Callable[[list[str]], int] = importlib.import_module(COMMANDS[name][0]).main  # takes long enough to be interrupted
        return command(arguments)
    except AssayError as error:
        return _refused(name, error)
    except OSError as error:
        return _of_system(name, error)
    except _usage_error() as error:
        if error.format_message():
            say(f"assay {name}: {one_line(_suggesting(error.format_message()))}\n{_path_of(error, name)} --help says more.", error=True)
        return USAGE
    except (KeyboardInterrupt, _abort()):
        say(f"{chr(10) * sys.stderr.isatty()}assay {name}: interrupted", error=True)  # below the ^C of the terminal
        return INTERRUPTED


def _refused(name: str, error: AssayError) -> int:
    say(f"assay {name}: {error}", error=True)
    return error.exit_code


def _of_system(name: str, error: OSError) -> int:
    """The exit code where the system refuses a file, or has no room for it. An error without a file was not foreseen."""
    from assay.app.stores.full import StoreFull, is_full

    if is_full(error):
        return _refused(name, StoreFull(str(error.filename or "the file that was written"), error))
    if error.filename is None:
        raise error
    what, where = str(error.strerror).lower(), str(error.filename)
    return _refused(name, Stop(Reason.FILE_REFUSED, f"the system says: {what}", where=where, remedy=_FILE_REMEDY))


def _usage_error() -> Any:
    """What typer raises for arguments it cannot read; looked up only when something was raised, so help stays fast."""
    import typer

    return typer.BadParameter.__mro__[1]


def _abort() -> Any:
    """What typer makes of SIGINT."""
    import typer

    return typer.Abort


def _suggesting(message: str) -> str:
    """Typer's words for a mistyped option in ours."""
    return re.sub(r" \(Possible options: (.*)\)$", r". Did you mean \1?", message)


def _path_of(error: Any, name: str) -> str:
    """The command that was called, with its subcommand."""
    return f"assay {name}" if error.ctx is None else str(error.ctx.command_path)


def _usage() -> str:
    lines = [f"  {name:<11}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: assay COMMAND [OPTIONS]", "", *lines, "", "assay COMMAND --help explains a command.", "", EXIT_CODES_HELP])
