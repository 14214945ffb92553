"""The `assay` command: one table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from assay import __version__
from assay.app.private_files import keep_private
from assay.contracts.errors import AssayError

#: command → (module, function taking the remaining arguments, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("assay.app.cli.demo", "stream a world through Kafka, decide, audit, replay and report"),
    "up": ("assay.app.cli.up", "start everything and decide payments as they are posted"),
    "policy": ("assay.app.cli.policy", "begin and check a policy of your own"),
    "substrate": ("assay.app.cli.substrate", "start, stop and show Kafka and PostgreSQL"),
    "oracle": ("assay.app.cli.oracle", "turn a file of transactions into a sealed world"),
    "labels": ("assay.app.cli.labels", "post a file of disputes and chargebacks"),
    "worker": ("assay.app.cli.worker", "run the agents of chosen packs under Faust"),
    "gate": ("assay.app.cli.gate", "run the ingestion gate"),
    "key": ("assay.app.cli.key", "show and change the key of a run's gate"),
    "run": ("assay.app.cli.run", "check a sealed world and publish READY"),
    "stream": ("assay.app.cli.stream", "stream a READY world through the gate"),
    "replay": ("assay.app.cli.replay", "recompute every decision from the journal and compare"),
    "backtest": ("assay.app.cli.backtest", "what another policy would have decided in a run"),
    "journal": ("assay.app.cli.journal", "show, verify, snapshot and truncate a lane's journal"),
    "audit": ("assay.app.cli.audit", "verify the audit chain"),
    "decision": ("assay.app.cli.decision", "show one decision with its reasons and proof"),
    "topic": ("assay.app.cli.topic", "print any topic; create the topics"),
    "export": ("assay.app.cli.export", "write decisions as Parquet files for notebooks"),
    "report": ("assay.app.cli.report", "write the report of a run"),
    "bench": ("assay.app.cli.bench", "measure the lane and the gate on this machine"),
    "warm": ("assay.app.cli.warm", "compile every kernel for this processor"),
    "contracts": ("assay.app.cli.contracts", "check contracts and write their documentation"),
}

INTERRUPTED = 130
EXIT_CODES = """exit codes:
  0    done
  1    refused, or a difference was found
  2    usage
  65   bad input
  70   stopped to keep a promise
  75   try again
  130  interrupted"""


def main(argv: list[str] | None = None) -> None:
    """Run one command. Each command module has a `main(arguments: list[str]) -> int`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        raise SystemExit(0)
    if arguments[0] in ("-V", "--version"):
        print(f"assay {__version__}")
        raise SystemExit(0)
    name = arguments.pop(0)
    keep_private()
    if name not in COMMANDS:
        print(f"assay: no command '{name}'.\n\n{_usage()}", file=sys.stderr)
        raise SystemExit(2)
    try:
        code = importlib.import_module(COMMANDS[name][0]).main(arguments)
        raise SystemExit(code)
    except AssayError as error:
        print(f"assay {name}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except _usage_error() as error:
        if error.format_message():
            print(f"assay {name}: {error.format_message()}\nassay {name} --help says more.", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        raise SystemExit(_no_room(name, error)) from None
    except (KeyboardInterrupt, _abort()):
        print(f"{chr(10) * sys.stderr.isatty()}assay {name}: interrupted", file=sys.stderr)  # below the ^C of the terminal
        raise SystemExit(INTERRUPTED) from None


def _no_room(name: str, error: OSError) -> int:
    """The exit code of a command that found no room for a file, which it names. Any other error is raised as it is."""
    from assay.app.stores.full import StoreFull, is_full

    if not is_full(error):
        raise error
    full = StoreFull(str(error.filename or "the file that was written"), error)
    print(f"assay {name}: {full}", file=sys.stderr)
    return full.exit_code


def _usage_error() -> Any:
    """What typer raises for arguments it cannot read; looked up only when something was raised, so help stays fast."""
    import typer

    return typer.BadParameter.__mro__[1]


def _abort() -> Any:
    """What typer makes of SIGINT."""
    import typer

    return typer.Abort


def _usage() -> str:
    lines = [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: assay COMMAND [OPTIONS]", "", *lines, "", "assay COMMAND --help explains a command.", "", EXIT_CODES])
