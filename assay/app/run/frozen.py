"""What a run decides by is frozen when it begins: an object of its store that is written once and compared at every start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from assay.app.run.directory import Run, RunConfig
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FROZEN: Final = "run/frozen_config.json"
#: fields of a run's configuration that are policy: documents, and what its profile decides
POLICY_FIELDS: Final = ("features", "policy", "topic_layout", "profile_policy")


def freeze(store: ObjectStore, config: RunConfig) -> None:
    """Write the digests of a run's configuration, once."""
    digests = {"run_config_digest": config.digest.hex(), "fields": _digests(config)}
    with suppress(ObjectExists):
        store.create(FROZEN, json.dumps(digests, sort_keys=True, indent=1).encode())


def refuse_changed(run: Run) -> None:
    """Raises Stop(POLICY_CHANGED_MID_RUN) if `run.json` holds another configuration than the run began with, naming the fields."""
    refuse_other(run.store, run.config, str(run.directory / "run.json"))


def refuse_other(store: ObjectStore, config: RunConfig, where: str) -> None:
    """The same for a configuration that was read before; `where` names it."""
    try:
        held = json.loads(store.read(FROZEN))
        frozen, fields = str(held["run_config_digest"]), dict(held["fields"])
    except FileNotFoundError:
        return  # not begun by a command that begins runs
    except (ValueError, KeyError, TypeError):
        what, remedy = "the frozen configuration of the run cannot be read", "Restore the object; nothing was decided."
        raise Stop(Reason.POLICY_CHANGED_MID_RUN, what, where=FROZEN, remedy=remedy) from None
    if frozen != config.digest.hex():
        now = _digests(config)
        raise changed(sorted(name for name in {*now, *fields} if now.get(name) != fields.get(name)), where)


def changed(fields: Iterable[str], where: Path | str) -> Stop:
    """The refusal of another policy under a run that has begun."""
    return Stop(
        Reason.POLICY_CHANGED_MID_RUN,
        f"this run was begun with another {', '.join(fields)}",
        where=str(where),
        remedy="Restore what it began with, or begin another run. `assay backtest` says what another policy would have decided.",
    )


def _digests(config: RunConfig) -> dict[str, str]:
    values: dict[str, Any] = config.model_dump(mode="json")
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        for name, value in values.items()
        if value
    }
