"""The secrets of a run: its keys and the addresses of PostgreSQL with their passwords, in a file of their own for its owner only.

`run.json` names the file and holds none of them, so it may be copied, shown and kept as evidence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.app.settings import load_settings
from assay.app.sql_address import shown
from assay.app.stores.durable import replace_file
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

SECRETS: Final = "secrets.json"


class Secrets(BaseModel):
    """What nobody but the run's own processes may know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: str = Field(repr=False, default="")
    earlier_api_key: str = Field(repr=False, default="")
    dsn: str = Field(repr=False, default="")
    gate_dsn: str = Field(repr=False, default="")
    runner_dsn: str = Field(repr=False, default="")
    streamer_dsn: str = Field(repr=False, default="")
    reader_dsn: str = Field(repr=False, default="")


#: fields of a run that stand in the file of secrets
SECRET_FIELDS: Final = tuple(Secrets.model_fields)


def write_secrets(directory: Path, secrets: Secrets) -> None:
    """Write the file atomically and durably, readable by its owner only."""
    replace_file(directory / SECRETS, secrets.model_dump_json(indent=1).encode(), mode=0o600)


def public(secrets: Secrets) -> dict[str, str]:
    """What `run.json` says instead: addresses without passwords."""
    return {name: shown(address) for name, address in secrets.model_dump().items() if name.endswith("dsn")}


def secrets_in(directory: Path, name: str) -> dict[str, Any]:
    """The secrets of a run: of the file that `run.json` names; where it is not there, as on another machine, of the settings.

    These are the file of `ASSAY_SECRETS`, else `ASSAY_API_KEY` and `ASSAY_SQL`. What nobody gives is not in the result.
    Raises Stop(RUN_MISSING) for a file that cannot be read, naming it and nothing that it holds, Stop(SETTING_INVALID).
    """
    file = secrets_path(directory, name)
    if file.is_file():
        return _read(file)
    settings = load_settings()
    given = {"api_key": settings.api_key, "dsn": settings.sql, "reader_dsn": settings.sql}
    return {field: value for field, value in given.items() if value}


def secrets_path(directory: Path, name: str = SECRETS) -> Path:
    """Where the secrets of a run are read: its own file, or that of `ASSAY_SECRETS` where the run's directory holds none."""
    own = directory / name
    return own if own.is_file() else load_settings().secrets or own


def refuse_without_key(key: str, directory: Path) -> str:
    """The key of a run. Raises Stop(RUN_KEY_MISSING) if the run was read without one."""
    if key:
        return key
    raise Stop(
        Reason.RUN_KEY_MISSING,
        "the key of this run is not here",
        where=str(directory / SECRETS),
        remedy=f"On another machine than the run's, name a copy of its {SECRETS} by ASSAY_SECRETS, or give the key as ASSAY_API_KEY.",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return Secrets.model_validate(json.loads(path.read_text(encoding="utf-8"))).model_dump()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        # never the values: a fault of pydantic quotes them
        told = "it holds other fields, or other kinds" if isinstance(error, ValidationError) else type(error).__name__
        what = f"the secrets of the run cannot be read: {told}"
        raise Stop(Reason.RUN_MISSING, what, where=str(path), remedy="Restore the file, or start another run.") from None
