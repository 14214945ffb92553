"""A run on disk: its identity and policy (`RunConfig`), where its parts answer (`Run`), and its folders.

Policy decides what is computed and is digested into every journal record and decision; wiring only says where things
are, and changes nothing that is computed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.app.run.secrets_file import SECRET_FIELDS, SECRETS, Secrets, public, secrets_in, write_secrets
from assay.app.stores.durable import make_directory, replace_file
from assay.app.stores.objects import SizedObjects
from assay.app.stores.places import below, shared_store
from assay.contracts.errors import Stop
from assay.contracts.ids import scenario_run_id
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

#: the number of the layout of a run: the files of its directory, its journals, its topics. It goes up when a version of assay cannot
#: go on with the runs of the one before. A `run.json` without a number is of layout 1.
RUN_LAYOUT = 4


#: fields that came after runs had digests
_LATER = ("extra_entities", "extra_currencies", "earliest", "ids_in_clear", "pseudonymise", "topic_layout", "profile_policy", "traffic")


def live_key(platform_run_id: str) -> str:
    """The key under which a live run is asked for."""
    return f"{platform_run_id}|live"


class Horizon(BaseModel):
    """How long a lane remembers an event id: so many days of event time, and so many ids at most. The gate remembers it for these days."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    days: int = 45
    rows: int = 20_000_000


class RunConfig(BaseModel):
    """Everything that decides what a run computes. `digest` is stamped into records."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    platform_run_id: str
    scenario_run_id: str
    manifest_fingerprint: str
    parameter_hash: str
    scenario_id: str
    seed: int
    run_id: str
    ordering: Literal["event_time", "arrival"] = "event_time"
    label_delay_us: int = 7 * 86_400_000_000
    #: what the world's mapping calls the truth: the gate refuses it in live rows, beside what its policy names
    truth_columns: tuple[str, ...] = ()
    #: what the world's payments name beside the policy's entities, and its currencies that ISO 4217 does not have: the gate admits them
    extra_entities: tuple[str, ...] = ()
    extra_currencies: tuple[str, ...] = ()
    #: the day in UTC before which the world has no payment, where its mapping says so
    earliest: str = ""
    #: entities whose ids may read as payment card numbers, as the mapping of the world says
    ids_in_clear: tuple[str, ...] = ()
    #: entities whose ids the gate replaces by tokens of its vault before anything else, as the mapping or the command that began it says
    pseudonymise: tuple[str, ...] = ()
    #: the traffic of a generated world that the run streams: its gate admits the rows of that world and no payments. Empty for none
    traffic: Literal["", "baseline", "fraud"] = ""
    idempotency_horizon: Horizon = Horizon()
    changelog_interval_ms: int = 1_000
    features: dict[str, Any]
    policy: dict[str, Any]
    bundle_id: str = "rules"
    bundle_version: str = "1"
    #: (partitions, retention in ms; -1 for ever) of every topic, by handle; empty where the topics are somebody else's
    topic_layout: dict[str, tuple[int, int]] = {}
    #: digest of the policy part of the profile that the run was begun under, 64 hex digits; empty without a profile
    profile_policy: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the run decides what is posted to it, and has no world."""
        return self.scenario_run_id == scenario_run_id(live_key(self.platform_run_id))

    @property
    def retention_ms(self) -> dict[str, int]:
        """Retention of each topic of the layout, by handle."""
        return {handle: kept_ms for handle, (_, kept_ms) in self.topic_layout.items()}

    @property
    def pins(self) -> Pins:
        """The six pins of every record of this run."""
        return Pins(
            platform_run_id=self.platform_run_id,
            scenario_run_id=self.scenario_run_id,
            manifest_fingerprint=self.manifest_fingerprint,
            parameter_hash=self.parameter_hash,
            scenario_id=self.scenario_id,
            seed=self.seed,
        )

    @property
    def digest(self) -> bytes:
        """sha256 of the canonical JSON of the whole config (documents may hold fractions, so plain JSON is used).

        A run without extra names has the digest that it had before there were any.
        """
        told = {name: value for name, value in self.model_dump(mode="json").items() if value or name not in _LATER}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).digest()


class Run(BaseModel):
    """Wiring of one run, kept in `run.json` of its directory; keys and passwords in the file that `secrets` names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    directory: Path = Field(exclude=True)
    layout: int = RUN_LAYOUT
    config: RunConfig
    namespace: str = ""
    bootstrap: str
    #: PostgreSQL for the owner of the tables: commands that people call
    dsn: str = Field(repr=False)
    #: the same for the role of each component, empty for `dsn`
    gate_dsn: str = Field(repr=False, default="")
    runner_dsn: str = Field(repr=False, default="")
    streamer_dsn: str = Field(repr=False, default="")
    reader_dsn: str = Field(repr=False, default="")
    #: the folder with Kafka's client properties of each user, seen from `directory`; empty for those of the settings
    bus_users: str = ""
    #: where runs keep their objects: a folder or s3://bucket/prefix, each below it by its id; empty for `store` of `directory`
    store_root: str = ""
    gate_url: str = ""
    worker_url: str = ""
    api_key: str = Field(repr=False, default="")
    #: the key before, valid until it is retired; empty for none
    earlier_api_key: str = Field(repr=False, default="")
    #: the file of keys and passwords, seen from `directory`
    secrets: str = SECRETS
    partitions: int | None = None

    @property
    def platform_run_id(self) -> str:
        return self.config.platform_run_id

    @property
    def place(self) -> str:
        """Where the run's objects lie: a folder or s3://bucket/prefix."""
        return place_of(self.store_root, self.directory, self.platform_run_id)

    @property
    def store(self) -> SizedObjects:
        """The run's object store. Raises Stop(FILE_REFUSED) for a place that cannot be one, Stop(SETTING_INVALID)."""
        return shared_store(self.place)

    @property
    def sql_of_gate(self) -> str:
        """PostgreSQL as the gate reaches it."""
        return self.gate_dsn or self.dsn

    @property
    def actions(self) -> Path:
        """The log of actions that are recorded and not posted: a file of its worker's machine wherever the store is."""
        return self.directory / "store" / "actions" / "recorded.log"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    def save(self) -> None:
        """Write secrets and `run.json`, each atomically and durably, readable by their owner only."""
        make_directory(self.directory, self.directory.parent)
        secrets = Secrets(**self.model_dump(include=set(SECRET_FIELDS)))
        write_secrets(self.directory, secrets)
        told = self.model_dump(mode="json", exclude=set(SECRET_FIELDS)) | public(secrets) | {"secrets": SECRETS}
        replace_file(self.directory / "run.json", json.dumps(told, indent=1, ensure_ascii=False).encode(), mode=0o600)

    @classmethod
    def load(cls, directory: Path) -> Run:
        """Read `run.json` and the secrets.

        Raises Stop(RUN_MISSING) when the directory holds no run or its file cannot be read, Stop(LAYOUT_UNSUPPORTED) for a run
        of another layout.
        """
        path = directory / "run.json"
        if not path.is_file():
            raise Stop(
                Reason.RUN_MISSING,
                "this directory holds no run",
                where=str(path),
                remedy="Give --run the directory printed by `assay demo` or `assay up`.",
            )
        try:
            fields: dict[str, Any] = {**json.loads(path.read_text(encoding="utf-8")), "directory": directory}
            _refuse_other_layout(fields.get("layout", 1), path)
            if fields.get("secrets") != SECRETS:
                raise ValueError(f"secrets: another file than {SECRETS}")
            fields |= secrets_in(directory, SECRETS)
            return cls.model_validate(fields)
        except (ValueError, TypeError, RecursionError) as error:
            what = f"run.json cannot be read: {_fault_of(error)}"
            raise Stop(Reason.RUN_MISSING, what, where=str(path), remedy="Restore it, or start another run.") from None


def place_of(store_root: str, directory: Path, platform_run_id: str) -> str:
    """Where a run keeps its objects: below `store_root` by its id, or in its own directory."""
    return below(store_root, platform_run_id) if store_root else str(directory / "store")


def _fault_of(error: Exception) -> str:
    """The text of an error, without the values that were read: the file holds keys."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return " ".join(str(error).split())


def _refuse_other_layout(layout: object, path: Path) -> None:
    if layout != RUN_LAYOUT:
        raise Stop(
            Reason.LAYOUT_UNSUPPORTED,
            f"the run has layout {layout}, this version of assay reads layout {RUN_LAYOUT}",
            where=str(path),
            remedy="Go on with the version of assay that began the run, or start a new run.",
        )
