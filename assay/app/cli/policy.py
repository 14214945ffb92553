"""`assay policy`: begin a policy of one's own, check one before a run, and change that of a run."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assay.agents.decision_policy import fallback_of
from assay.app.cli.plain_app import plain_app
from assay.app.oracle.mapping import load_mapping
from assay.app.policy.documents import Policy, load_policy
from assay.app.policy.doubts import doubts_of
from assay.app.policy.fit import refuse_misfit
from assay.app.policy.grain import grain_us
from assay.app.policy.of_mapping import currencies_of, start_of
from assay.app.policy.starter import Start, features_yaml, rules_yaml
from assay.app.run.directory import Run
from assay.app.screen import Screen, say, say_json
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_document import FeatureDocument

app = plain_app("Begin, check and activate policies: what is computed of a payment, and how it is decided.", no_args_is_help=True)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def main(arguments: list[str]) -> int:
    """Run `assay policy`."""
    return app(arguments, standalone_mode=False, prog_name="assay policy") or 0


@app.command("new", short_help="write a first policy for the entities of a mapping")
def new(
    folder: Annotated[Path, typer.Argument(help="folder of the new policy; its name is the policy's")],
    mapping: Annotated[str, typer.Option(help="mapping whose entities, currency and truth it is for")] = "",
    entity: Annotated[list[str] | None, typer.Option(help="entity that features are kept for; may be repeated")] = None,
) -> int:
    """Write features.yaml and rules.yaml into a new folder. They can be used at once, and are there to be changed."""
    start = _start(_name_of(folder), mapping, entity or [])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        remedy = "Name a folder that is not there: nothing is overwritten."
        raise Stop(Reason.POLICY_FOLDER_TAKEN, f"{folder} is there, and it is not empty", where=str(folder), remedy=remedy)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("features.yaml", features_yaml(start)), ("rules.yaml", rules_yaml(start))):
        (folder / name).write_text(text, encoding="utf-8")
    console = Screen()
    _show(console, load_policy(_as_path(folder)))
    given = f" --mapping {mapping}" if mapping else ""
    if not start.currencies:
        place = f"in {mapping}, or " if mapping else ""
        note = f"note: nobody has said which currencies the amounts have: write them {place}in features.yaml, as in currencies: [EUR]"
        console.print(note, highlight=False, soft_wrap=True, markup=False)
    console.print(f"next: assay demo --input FILE{given} --policy {_as_path(folder)}", highlight=False, soft_wrap=True)
    return 0


@app.command("check", short_help="check a policy before a run")
def check(
    policy: Annotated[str, typer.Argument(help="a shipped policy, a folder with features.yaml and rules.yaml, or one file with both")],
    mapping: Annotated[str, typer.Option(help="mapping whose entities and currency it has to fit")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 if there is a doubt: a rule that can never fire, for one")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the facts and doubts as JSON")] = False,
) -> int:
    """Read both documents, check that they fit each other and the mapping, and say what they are.

    Doubts are about what is allowed and cannot be meant: rules that never or always fire, outcomes that are never reached.
    """
    loaded = load_policy(policy)
    grain = 1
    if mapping:
        read = load_mapping(mapping)
        refuse_misfit(loaded, list(read.entities), currencies_of(read))
        grain = grain_us(read.time)
    doubts = doubts_of(loaded, grain)
    if as_json:
        say(json.dumps({**dict(_facts(loaded)), "doubts": [doubt._asdict() for doubt in doubts]}, indent=1))
    else:
        _show(Screen(), loaded)
    for doubt in () if as_json else doubts:
        Screen().print(Text(f"doubt: {doubt.about} {doubt.text}"), soft_wrap=True)
    return 1 if strict and doubts else 0


@app.command(short_help="change the rules of a run while it goes on")
def activate(
    policy: Annotated[str, typer.Argument(help="a shipped policy, a folder with features.yaml and rules.yaml, or one file with both")],
    run: Annotated[Path, typer.Option(help="directory of the run")],
    reason: Annotated[str, typer.Option(help="why; kept in the run's record and in the journal")],
    from_time: Annotated[str, typer.Option("--from", help="event time from which it counts; empty: the next row")] = "",
    requested_by: Annotated[str, typer.Option(help="who asks; empty: the user of this machine")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
    authority: Annotated[str, typer.Option(help="database that decides who writes; empty: the run's")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="the answer as JSON")] = False,
) -> int:
    """Decide by the rules and thresholds of this policy from now on. Features stay: a policy with other features is refused.

    Example: assay policy activate ./stricter --run runs/live --reason "attack"
    """
    from assay.app.cli.policy_activate import activate_on, tell  # with it come Kafka and a database

    loaded, actor = load_policy(policy), requested_by or getpass.getuser()
    answer = activate_on(Run.load(run), loaded, actor, reason, from_time, authority, dry_run=dry_run)
    if as_json:
        say_json(answer.as_json())
    else:
        tell(answer)
    return 0


def _start(name: str, mapping: str, entities: list[str]) -> Start:
    if mapping:
        return start_of(load_mapping(mapping), name, entities)
    for given in entities:
        if not _NAME.fullmatch(given):
            raise typer.BadParameter(f"'{given}' is no name of an entity: lower-case letters, digits and _, a letter first")
    if not entities:
        raise typer.BadParameter("give --mapping, or --entity for each entity")
    return Start(name, entities)


def _name_of(folder: Path) -> str:
    name = folder.resolve().name.lower().replace("-", "_")
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f"'{folder.name}' is no name of a policy: letters, digits, - and _, a letter first")
    return name


def _as_path(folder: Path) -> str:
    """With a slash, so that no shipped policy is meant."""
    return str(folder) if "/" in str(folder) else f"./{folder}"


def _show(console: Console, policy: Policy) -> None:
    table = Table(title=f"policy {policy.name}", title_justify="left")
    table.add_column("what")
    table.add_column("value", overflow="fold")
    for what, value in _facts(policy):
        table.add_row(what, value)
    console.print(table)


def _facts(policy: Policy) -> list[tuple[str, str]]:
    plan, rules = policy.feature_plan, policy.rule_plan
    document, thresholds = plan.document, policy.rules["thresholds"]
    return [
        ("features", f"{document.feature_set} revision {document.revision}: {len(document.features)} features"),
        ("entities", ", ".join(document.entities)),
        ("frauds are counted for", ", ".join(document.label_entities) or "no entity"),
        ("currencies", _meaning(document)),
        ("rules", f"{rules.policy.policy_id} revision {rules.policy.revision}: {len(rules.codes)} rules"),
        ("thresholds", ", ".join(f"{outcome} from {score}" for outcome, score in thresholds.items())),
        ("fallback", f"{fallback_of(policy.rules)}, where nobody can wait for the decision"),
        ("digests", f"features {document.digest.hex()[:16]}…, rules {rules.policy.digest.hex()[:16]}…"),
    ]


def _meaning(document: FeatureDocument) -> str:
    """What `currencies` means for a run, a live one above all."""
    codes = document.currencies
    if codes is None:
        adds = "takes that of its first payment and refuses others" if document.adds_amounts else "takes any"
        return f"one, whichever it is: a live run {adds}; name yours, as in currencies: [EUR]"
    if not codes:
        return "any: amounts of all currencies are added as they are"
    added = "" if len(codes) == 1 else ": added as they are, no rate is applied"
    return f"{', '.join(codes)}{added}; a live run refuses payments in others"
