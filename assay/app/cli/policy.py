"""`assay policy`: begin a policy of one's own, and check one before a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assay.app.cli.plain_app import plain_app
from assay.app.oracle.mapping import Mapping, load_mapping
from assay.app.policy.documents import Policy, load_policy
from assay.app.policy.fit import refuse_misfit
from assay.app.policy.starter import Start, features_yaml, rules_yaml
from assay.app.screen import Screen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

app = plain_app("Begin and check policies: what is computed of a payment, and how it is decided.", no_args_is_help=True)

#: what the document says that names no currency
_ONE = "one, whichever it is; for live payments, name it: currencies: [EUR]"
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
    console.print(f"next: assay demo --input FILE{given} --policy {_as_path(folder)}", highlight=False, soft_wrap=True)
    return 0


@app.command("check", short_help="check a policy before a run")
def check(
    policy: Annotated[str, typer.Argument(help="a shipped policy, a folder with features.yaml and rules.yaml, or one file with both")],
    mapping: Annotated[str, typer.Option(help="mapping whose entities and currency it has to fit")] = "",
) -> int:
    """Read both documents, check that they fit each other and the mapping, and say what they are."""
    loaded = load_policy(policy)
    if mapping:
        read = load_mapping(mapping)
        refuse_misfit(loaded, list(read.entities), _currencies(read))
    _show(Screen(), loaded)
    return 0


def _start(name: str, mapping: str, entities: list[str]) -> Start:
    if mapping:
        read = load_mapping(mapping)
        delay = None if read.truth is None else read.truth.delay_us or 0
        return Start(name, entities or list(read.entities), _currencies(read), delay)
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


def _currencies(mapping: Mapping) -> list[str]:
    return [mapping.currency.constant] if mapping.currency.constant else list(mapping.exponents or ())


def _as_path(folder: Path) -> str:
    """With a slash, so that no shipped policy is meant."""
    return str(folder) if "/" in str(folder) else f"./{folder}"


def _show(console: Console, policy: Policy) -> None:
    plan, rules = policy.feature_plan, policy.rule_plan
    table = Table(title=f"policy {policy.name}", title_justify="left")
    table.add_column("what")
    table.add_column("value", overflow="fold")
    document, thresholds = plan.document, policy.rules["thresholds"]
    for what, value in (
        ("features", f"{document.feature_set} revision {document.revision}: {len(document.features)} features"),
        ("entities", ", ".join(document.entities)),
        ("frauds are counted for", ", ".join(document.label_entities) or "no entity"),
        ("currencies", _ONE if document.currencies is None else ", ".join(document.currencies) or "any"),
        ("rules", f"{rules.policy.policy_id} revision {rules.policy.revision}: {len(rules.codes)} rules"),
        ("thresholds", ", ".join(f"{outcome} from {score}" for outcome, score in thresholds.items())),
        ("digests", f"features {document.digest.hex()[:16]}…, rules {rules.policy.digest.hex()[:16]}…"),
    ):
        table.add_row(what, value)
    console.print(table)
