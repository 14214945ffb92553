"""`assay profile`: what is in force and where it comes from, and whether two profiles decide the same."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.profiles.documents import Profile, load_profile, policy_differences, shipped_profiles, shipped_wirings
from assay.app.screen import say, say_json
from assay.app.settings import Settings, load_settings, sources_of
from assay.app.settled import refuse_where_managed
from assay.app.sql_address import HIDDEN, shown
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

app = plain_app("Show and compare profiles: what is decided, and where things are.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


def main(arguments: list[str]) -> int:
    """Run `assay profile`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay profile") or 0)


@app.command("list", short_help="the profiles and wirings that ship")
def list_shipped(*, as_json: AsJson = False) -> int:
    """Print the names of the shipped profiles and wirings."""
    if as_json:
        say_json({"profiles": shipped_profiles(), "wirings": shipped_wirings()})
        return 0
    say(f"profiles: {', '.join(shipped_profiles())}\nwirings: {', '.join(shipped_wirings())}")
    return 0


@app.command("show", short_help="settings and policy in force, with their sources")
def show(*, as_json: AsJson = False) -> int:
    """Print every setting in force and where it comes from, and the policy of the profile. No secret is printed.

    Example: ASSAY_PROFILE=local_parity assay profile show
    """
    settings = load_settings()
    sources, profile = sources_of(settings), load_profile(settings.profile) if settings.profile else None
    values = {name: {"value": _shown(settings, name), "source": source} for name, source in sources.items()}
    policy = _policy_of(profile)
    if as_json:
        say_json({"profile": settings.profile, "settings": values, "policy": policy})
        return 0
    wide = max(map(len, values))
    say("\n".join(f"{name:{wide}}  {held['source']:11}  {held['value']}" for name, held in values.items()))
    if profile is None:
        say("no profile: topics are as their files say, and nothing else is decided by one")
        return 0
    say(f"policy {profile.policy.revision}, digest {profile.policy.digest}")
    say("\n".join(f"{name:{wide}}  policy       {value}" for name, value in policy.items() if name not in ("revision", "digest")))
    return 0


@app.command("check", short_help="refuse two profiles that decide differently")
def check(
    one: Annotated[str, typer.Argument(metavar="A", help="a shipped profile, or a YAML file")],
    other: Annotated[str, typer.Argument(metavar="B", help="another one")],
    *,
    as_json: AsJson = False,
) -> int:
    """Check that two profiles differ in their wiring only. Ends with 1 and names each key of policy in which they differ.

    Example: assay profile check local local_parity
    """
    first, second = load_profile(one), load_profile(other)
    differences = policy_differences(first.policy, second.policy)
    wiring = sorted(key for key in {*first.wiring, *second.wiring} if first.wiring.get(key) != second.wiring.get(key))
    if as_json:
        say_json({"policy": differences, "wiring": wiring})
        return int(bool(differences))
    if differences:
        what = f"{one} and {other} decide differently: {'; '.join(differences)}"
        remedy = "Make the keys equal, or do not compare what was run under the one with the other."
        raise Stop(Reason.PROFILE_POLICY_DIFFERS, what, where="policy", remedy=remedy)
    say(f"{one} and {other} have one policy, digest {first.policy.digest}")
    say(f"their wiring differs in {', '.join(wiring)}" if wiring else "their wiring is the same")
    return 0


@app.command("settle", short_help="refuse what does not last, where managed")
def settle() -> int:
    """Check the settings in force against the settlement lock. Where the settlement is open, nothing is refused."""
    managed = refuse_where_managed(load_settings())
    say("managed: everything lasts and is pinned" if managed else "open: nothing is locked")
    return 0


def _shown(settings: Settings, name: str) -> str:
    """A value without its secret: an address without a password, a mark for any other."""
    held: Any = settings.model_dump(mode="json")[name]
    text = "" if held is None else str(held)
    if name in ("sql", "authority", "maven_mirror", "webhook_url"):
        return shown(text)
    return HIDDEN if text and not Settings.model_fields[name].repr else text


def _policy_of(profile: Profile | None) -> dict[str, Any]:
    if profile is None:
        return {}
    policy = profile.policy
    topics = {
        f"topics.{purpose}": ", ".join(f"{key} {value}" for key, value in kept.items())
        for purpose, kept in policy.topics.model_dump().items()
    }
    runner = {f"scenario_runner.{key}": value for key, value in policy.scenario_runner.model_dump().items()}
    return {"revision": policy.revision, "digest": policy.digest, **topics, "speedup": policy.speedup, **runner}
