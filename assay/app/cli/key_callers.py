"""`assay key add | list | token`: keys and tokens that name who sends them. `assay key retire NAME` refuses such a key."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.gate.callers import audience_of, token_secrets
from assay.app.gate.service_token import Principal, token_of
from assay.app.run import caller_keys
from assay.app.run.caller_keys import CallerKey, caller_keys_path, keys_in
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.app.settings import load_settings
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line

RunDirectory = Annotated[Path, typer.Option("--run", help="directory of the run")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
Actor = Annotated[str, typer.Option(help="name of who sends it; it stands in receipts")]
_US_PER_S = 1_000_000


def add(
    run: RunDirectory,
    actor: Actor,
    *,
    human: Annotated[bool, typer.Option("--human", help="the actor is a person")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key for an actor and print it: it is shown this once. The gate takes it at once; the file holds its hash.

    Example: KEY=$(assay key add --actor switch-1 --run runs/live)
    """
    made, key = caller_keys.add(run, actor, "HUMAN" if human else "SYSTEM", instants.text(_now_us()))
    say(json.dumps(_facts(made) | {"key": key}) if as_json else key)


def list_(run: RunDirectory, *, as_json: AsJson = False) -> None:
    """List the named keys: id, actor, and when each was added. Keys themselves are kept nowhere.

    Example: assay key list --run runs/live
    """
    found = keys_in(caller_keys_path(Run.load(run).directory))
    if as_json:
        say_json({"keys": [_facts(key) for key in found]})
        return
    for key in found:
        say(f"{key.key_id}  {one_line(key.caller.actor_id)}  since {key.added_at_utc}")
    if not found:
        say("no named keys: the key of the run alone is valid")


def token(
    actor: Actor,
    *,
    lasts: Annotated[str, typer.Option("--for", help="how long it is valid, as 15min, 1h or 30d")] = "1h",
    run: Annotated[Path | None, typer.Option(help="directory of the run whose gate it is for")] = None,
    audience: Annotated[str, typer.Option(help="whom it is for, in place of the run")] = "",
    as_json: AsJson = False,
) -> None:
    """Print a service token, signed by the first secret of the variable that ASSAY_TOKEN_SECRETS_VARIABLE names.

    Example: assay key token --actor switch-1 --for 1h --run runs/live
    """
    settings, valid_us = load_settings(), instants.duration_us(lasts)
    secrets = token_secrets(settings)
    meant = audience or (settings.token_audience if run is None else audience_of(Run.load(run), settings))
    if not secrets or not meant:
        what = "a token needs a secret that signs it" if not secrets else "a token needs to be for somebody"
        where = settings.token_secrets_variable if not secrets else "--run, --audience"
        remedy = "Set the variable to what the gate has." if not secrets else "Give --run or --audience, or set ASSAY_TOKEN_AUDIENCE."
        raise Stop(Reason.SETTING_INVALID, what, where=where, remedy=remedy)
    until_us = _now_us() + valid_us
    made = token_of(Principal(actor, meant, until_us // _US_PER_S), secrets[0])
    facts = {"actor": actor, "audience": meant, "valid_until_utc": instants.text(until_us // _US_PER_S * _US_PER_S), "token": made}
    say(json.dumps(facts) if as_json else made)


def retired(run: Path, name: str) -> list[dict[str, str]]:
    """Refuse the keys of this id or actor from now on; which they were. Raises Stop(CALLER_KEY_UNKNOWN, RUN_MISSING)."""
    return [_facts(key) for key in caller_keys.retire(run, name)]


def _facts(key: CallerKey) -> dict[str, str]:
    return {"key_id": key.key_id, "actor_id": key.caller.actor_id, "added_at_utc": key.added_at_utc}


def _now_us() -> int:
    return time.time_ns() // 1_000
