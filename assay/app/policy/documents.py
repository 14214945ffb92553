"""The two documents of a policy: found by a name or a path, and checked before anything is started."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

from assay.agents.rule_plan import RulePlan, compile_rules
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document
from assay.tables.feature_plan import FeaturePlan, compile_plan

Part = Literal["features", "rules"]
_PARTS: tuple[Part, Part] = ("features", "rules")
_INVALID = {"features": Reason.FEATURE_DOCUMENT_INVALID, "rules": Reason.RULES_DOCUMENT_INVALID}


class Policy(NamedTuple):
    """The documents of a policy, and what they mean. `name` is what a person calls it."""

    name: str
    features: dict[str, Any]
    rules: dict[str, Any]
    feature_plan: FeaturePlan
    rule_plan: RulePlan


def load_policy(name_or_path: str) -> Policy:
    """A policy whose documents fit each other.

    A shipped name; a folder that holds features.yaml and rules.yaml; or one YAML file with the keys `features` and `rules`.
    Raises Stop(POLICY_MISSING, FEATURE_DOCUMENT_INVALID, RULES_DOCUMENT_INVALID).
    """
    _refuse_two_meanings(name_or_path)
    features, rules = (document(name_or_path, part, alone=False) for part in _PARTS)
    plan = compile_plan(features)
    return Policy(name_or_path, features, rules, plan, compile_rules(rules, plan))


def document(name_or_path: str, part: Part, *, alone: bool = True) -> dict[str, Any]:
    """One document of a policy, as it stands; `alone` also takes a file that holds this document and nothing else.

    Raises as `load_policy`, but for what the documents say.
    """
    shipped = _shipped(name_or_path, part)
    if shipped is not None:
        return read_document(shipped, _INVALID[part], f"{part} of policy {name_or_path}")
    path = Path(name_or_path)
    file = path / f"{part}.yaml" if path.is_dir() else path
    if not file.is_file():
        raise _missing(name_or_path, f"there is no {part}.yaml in it" if path.is_dir() else "no shipped policy and no folder has this name")
    held = read_document(file.read_bytes(), _INVALID[part], str(file))
    return held if path.is_dir() else _part_of(held, part, str(file), alone=alone)


def _refuse_two_meanings(name: str) -> None:
    """A policy of one's own that is called as a shipped one must not be passed over in silence."""
    if "/" not in name and name in shipped_policies() and Path(name).exists():
        raise Stop(
            Reason.POLICY_MISSING,
            f"'{name}' is a shipped policy, and there is a path of this name here",
            where=str(Path(name).absolute()),
            remedy=f"Write ./{name} for the path. For the shipped policy, rename the path or call assay from another folder.",
        )


def shipped_policies() -> list[str]:
    """Names of the policies that come with the package."""
    folder = resources.files("assay.contracts") / "policies"
    return sorted(entry.name for entry in folder.iterdir() if entry.joinpath("rules.yaml").is_file())


def _shipped(name: str, part: Part) -> bytes | None:
    if "/" in name or name not in shipped_policies():
        return None
    return resources.files("assay.contracts").joinpath("policies", name, f"{part}.yaml").read_bytes()


def _part_of(held: dict[str, Any], part: Part, where: str, *, alone: bool) -> dict[str, Any]:
    """A part of a file that holds both documents, or the file's only one."""
    given: Any = held.get(part)
    if set(held) == set(_PARTS) and isinstance(given, Mapping):
        return dict(given)
    if alone:
        return held
    raise _missing(where, f"one file holds both documents under the keys {' and '.join(_PARTS)}, this one has {', '.join(held)}")


def _missing(name: str, what: str) -> Stop:
    near = difflib.get_close_matches(name, shipped_policies(), 1)
    return Stop(
        Reason.POLICY_MISSING,
        f"no policy '{name}': {what}",
        remedy=(f"Did you mean '{near[0]}'? " if near else "")
        + f"Shipped are {', '.join(shipped_policies())}. `assay policy new DIR` begins a policy of your own.",
    )
