"""A profile as a value: read from a shipped name or a file, checked, and digested.

The wiring part is a mapping of settings (docs/settings.md), or the name of a shipped one. `${VAR}` in it is the value of a variable, and
`${VAR:-text}` is the text where the variable is not set or empty. Nothing here reads the environment: variables are arguments.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.app.profiles.layout import TopicPolicy
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

_VARIABLE: Final = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<other>[^}]*))?\}")
SHIPPED: Final = resources.files("assay.contracts") / "profiles"
WIRINGS: Final = SHIPPED / "wirings"


class RunnerPolicy(BaseModel):
    """How the Scenario Runner takes evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    revision: str
    reuse: Literal["ALLOW", "DENY"] = "ALLOW"
    evidence_wait_s: int = Field(ge=0, le=86_400)
    attempt_limit: int = Field(ge=1, le=100)


class ProfilePolicy(BaseModel):
    """What is decided, and how: equal policies give equal runs, wherever they are wired."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    revision: str
    topics: TopicPolicy
    #: event time per wall time of the streamer; 0 is as fast as the gate takes it
    speedup: float = Field(ge=0, allow_inf_nan=False)
    scenario_runner: RunnerPolicy

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON, 64 hex digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Profile(BaseModel):
    """One profile; `wiring` holds settings by name, unexpanded."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    profile: str
    policy: ProfilePolicy
    wiring: dict[str, Any]


def shipped_profiles() -> list[str]:
    """Names of the profiles that come with the package."""
    return _names(SHIPPED)


def shipped_wirings() -> list[str]:
    """Names of the wirings that come with the package."""
    return _names(WIRINGS)


def load_profile(name_or_path: str) -> Profile:
    """The profile of a shipped name or of a YAML file. Raises Stop(PROFILE_MISSING, PROFILE_INVALID) naming the file and the key."""
    text, where = _found(name_or_path)
    held = read_document(text, Reason.PROFILE_INVALID, where)
    if isinstance(held.get("wiring"), str):
        held["wiring"] = shipped_wiring(held["wiring"], where)
    try:
        return Profile.model_validate(held)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"]))
        remedy = "docs/profiles.md shows a whole profile."
        raise Stop(Reason.PROFILE_INVALID, f"{key}: {first['msg']}", where=where, remedy=remedy) from None


def shipped_wiring(name: str, where: str) -> dict[str, Any]:
    """A shipped wiring. Raises Stop(PROFILE_INVALID)."""
    if name not in shipped_wirings():
        what = f"wiring: there is no shipped wiring {name!r}"
        remedy = f"Shipped are {', '.join(shipped_wirings())}. Or write the settings themselves below 'wiring'."
        raise Stop(Reason.PROFILE_INVALID, what, where=where, remedy=remedy)
    return read_document(WIRINGS.joinpath(f"{name}.yaml").read_bytes(), Reason.PROFILE_INVALID, f"wiring {name}")


def expanded(value: Any, variables: Mapping[str, str], where: str) -> Any:
    """A value of a wiring with its variables filled in; None where a whole value is an empty default. Values that are no text stay.

    Raises Stop(SETTING_INVALID) naming the variable that is not set and has no default.
    """
    if not isinstance(value, str):
        return value

    def filled(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if not given and found["or"] is None:
            remedy = f"Set {found['name']}, or the setting itself: ASSAY_{where.rpartition(' ')[2].upper()}."
            raise Stop(Reason.SETTING_INVALID, f"the variable {found['name']} is not set", where=where, remedy=remedy)
        return given or found["other"]

    return _VARIABLE.sub(filled, value)


def speedup_under(profile: str, given: float | None) -> float:
    """The speed-up that a caller gives, else that of the profile in force, else 0. Raises as `load_profile`."""
    if given is not None:
        return given
    return load_profile(profile).policy.speedup if profile else 0.0


def policy_differences(one: ProfilePolicy, other: ProfilePolicy) -> list[str]:
    """Keys of policy in which two profiles differ, each with both values; `revision` is the name of a policy and counts."""
    first, second = dict(_leaves(one.model_dump(mode="json"))), dict(_leaves(other.model_dump(mode="json")))
    keys = sorted(set(first) | set(second))
    return [f"policy.{key}: {first.get(key)} and {second.get(key)}" for key in keys if first.get(key) != second.get(key)]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _found(name_or_path: str) -> tuple[bytes, str]:
    if "/" not in name_or_path and name_or_path in shipped_profiles():
        return SHIPPED.joinpath(f"{name_or_path}.yaml").read_bytes(), f"profile {name_or_path}"
    path = Path(name_or_path)
    if not path.is_file():
        remedy = f"Shipped are {', '.join(shipped_profiles())}. A profile of your own is a path to a YAML file."
        raise Stop(Reason.PROFILE_MISSING, f"there is no profile {name_or_path!r}", where=str(path), remedy=remedy)
    return path.read_bytes(), str(path)


def _names(folder: Any) -> list[str]:
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
