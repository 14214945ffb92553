"""What a live run does with ids: the entities whose ids are replaced by tokens, and those whose ids may read as card numbers."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from assay.app.policy.documents import Policy
from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.keys import ENTITY_PRECEDENCE
from assay.contracts.reasons import Reason


class IdTerms(NamedTuple):
    """Names of entities."""

    pseudonymise: tuple[str, ...] = ()
    in_clear: tuple[str, ...] = ()


AS_THEY_COME: Final = IdTerms()


def id_terms(pseudonymise: list[str] | None, in_clear: list[str] | None) -> IdTerms:
    """The terms that options say: each name once, in order, so that the same names are the same run."""
    return IdTerms(tuple(sorted(set(pseudonymise or ()))), tuple(sorted(set(in_clear or ()))))


def refuse_unknown(ids: IdTerms, policy: Policy) -> None:
    """Raises Stop(ENTITY_UNKNOWN) for a name that neither the policy nor the bus knows: its ids would be told in clear."""
    known = sorted({*policy.feature_plan.entities, *ENTITY_PRECEDENCE})
    for option, names in (("--pseudonymise", ids.pseudonymise), ("--ids-in-clear", ids.in_clear)):
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                meant = f"Did you mean {near[0]!r}? " if near else ""
                what = f"neither the policy nor the bus knows an entity {name!r}"
                raise Stop(Reason.ENTITY_UNKNOWN, what, where=option, remedy=f"{meant}The entities are {', '.join(known)}.")


def refuse_other_ids(directory: Path, ids: IdTerms) -> None:
    """Raises Stop(RUN_SCOPE_MISMATCH) where the directory's run was begun with other names. Without any it goes on as it was begun."""
    if ids == AS_THEY_COME or not (directory / "run.json").is_file():
        return
    config = Run.load(directory).config
    if ids != IdTerms(config.pseudonymise, config.ids_in_clear):
        told = ", ".join(f"{option} {name}" for option, names in _options(config.pseudonymise, config.ids_in_clear) for name in names)
        what = f"this run was begun with {told or 'neither --pseudonymise nor --ids-in-clear'}"
        remedy = "Leave the options out to go on with this run, or begin another one: --run DIR."
        raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=str(directory / "run.json"), remedy=remedy)


def _options(pseudonymise: tuple[str, ...], in_clear: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("--pseudonymise", pseudonymise), ("--ids-in-clear", in_clear)
