"""Every setting, declared once. Settings say where things are (wiring); what is decided and how is policy, and lives in documents.

Sources, first wins: arguments, environment variables `ASSAY_<NAME>`, the YAML file named by `ASSAY_WIRING`, the wiring part of the
profile named by `ASSAY_PROFILE`, the default here.
This is the only module that reads the environment.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from assay.app.profiles.documents import expanded, load_profile
from assay.contracts.errors import Stop
from assay.contracts.limits import BODY_TIMEOUT_S, GATE_CONNECTIONS_MAX, SEAL_AFTER_S
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

PREFIX = "ASSAY_"
BOOTSTRAP = r"^(|((\[[0-9a-fA-F:]+\]|[^\s,:]+):\d{1,5})(,(\[[0-9a-fA-F:]+\]|[^\s,:]+):\d{1,5})*)$"


class Settings(BaseSettings):
    """The wiring of one process, frozen."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    profile: str = Field("", description="[profile](profiles.md): a shipped name or a YAML file; empty: none, as before there were any")
    wiring: Path | None = Field(None, description="YAML file with settings by their lower-case names; the environment wins over it")

    bus: str = Field("", pattern=BOOTSTRAP, description="Kafka bootstrap servers, `host:port[,host:port]`; empty starts one")
    bus_properties: Path | None = Field(
        None, description="file of Kafka client properties (librdkafka names; `key=value` lines or JSON) for TLS and SASL"
    )
    sql: str = Field("", repr=False, pattern=r"^(|postgres(ql)?://.+)$", description="PostgreSQL connection URI; empty starts one")
    namespace: str = Field("", pattern=r"^[a-zA-Z0-9._-]{0,100}$", description="put before every topic name, so runs can share a Kafka")
    partitions: int = Field(3, ge=1, le=1000, description="partitions of the topics that have more than one")

    runs: Path = Field(Path("runs"), description="directory that holds the runs")
    store: str = Field(
        "",
        description="where a new run keeps its world, receipts, quarantine, audit and snapshots: a folder or `s3://bucket/prefix`, each "
        "run below it by its id; empty: `store/` in the directory of the run",
    )
    run: Path | None = Field(None, description="directory of the run that this process belongs to")
    tier3_data: Path | None = Field(None, description="directory of the large data sets for the tests of tier 3")

    gate_host: str = Field("127.0.0.1", description="address the ingestion gate listens on")
    gate_port: int = Field(0, ge=0, le=65535, description="port of the ingestion gate; 0 takes a free one")
    gate_body_timeout_s: float = Field(
        BODY_TIMEOUT_S,
        gt=0,
        le=3600,
        description="seconds in which the headers of a call to the gate must arrive, and then the body; a slower body is answered with 408",
    )
    gate_connections_max: int = Field(
        GATE_CONNECTIONS_MAX,
        ge=1,
        le=60_000,
        description="connections that the gate keeps open, fewer where the limit of open files is lower; one too many closes the "
        "oldest that sent no key",
    )
    seal_after_s: float = Field(
        SEAL_AFTER_S,
        ge=0,
        le=3600,
        description="seconds after which the gate brings receipts and refused items into ASSAY_STORE, where other machines see them; 0: "
        "when a file of them is full or the gate ends. Without ASSAY_STORE it is always so",
    )
    api_key: str = Field(
        "",
        repr=False,
        description="key of a new run; empty makes one. `assay key` changes it. Also the key of a run whose `secrets.json` is not here",
    )
    caller_keys: Path | None = Field(None, description="file of named keys, hashed; empty: `caller_keys.json` in the directory of the run")
    token_secrets_variable: str = Field(
        "IG_SERVICE_TOKEN_SECRETS",
        description="variable with the secrets of service tokens, separated by commas, each of 32 characters or more; the first signs",
    )
    token_audience: str = Field("", description="whom a service token must be for; empty: the run, by its `platform_run_id`")
    vault_key_variable: str = Field(
        "IG_VAULT_KEY",
        description="variable with the secret of the vault of [pseudonyms](pseudonyms.md), of 32 characters or more",
    )
    principals: str = Field("", description="actors whose tokens and certificates the gate takes, separated by commas; empty: any")
    gate_tls_cert: Path | None = Field(None, description="PEM file with the gate's certificate; empty: plain HTTP")
    gate_tls_key: Path | None = Field(None, description="PEM file with its key")
    gate_client_ca: Path | None = Field(None, description="PEM file of the authorities whose client certificates the gate takes")
    gate_processes: int = Field(1, ge=1, le=64, description="processes of the ingestion gate that admit on its port")
    gate_rate_per_s: float = Field(0.0, ge=0, description="items a second that the gate takes of one actor; 0: no limit")
    gate_rate_burst: int = Field(0, ge=0, description="items above that rate that an actor may send at once; 0: those of ten seconds")
    secrets: Path | None = Field(None, description="copy of a run's `secrets.json`, where the directory of the run does not hold it")
    web_host: str = Field("127.0.0.1", description="address of the worker's web view; one beyond this machine asks callers for the key")
    web_port: int = Field(0, ge=0, le=65535, description="port of the worker's web view; 0 takes a free one")

    settlement: Literal["open", "managed"] = Field(
        "open", description="`managed`: what does not last or is not pinned is refused, see [profiles](profiles.md#the-settlement-lock)"
    )
    control_bus: Literal["kafka", "file", "kinesis"] = Field("kafka", description="what carries control messages of the Scenario Runner")
    checkpoints: Literal["store", "postgres"] = Field("store", description="where streamer and label delivery keep how far they are")
    control_bus_root: Path = Field(Path("runs/control_bus"), description="folder of the control bus `file`")
    control_bus_stream: str = Field("sr-control-bus", description="stream of the control bus `kinesis`, of one shard")
    control_bus_endpoint: str = Field("", description="endpoint of the control bus `kinesis`; empty: boto3's own")
    control_bus_region: str = Field("", description="region of the control bus `kinesis`; empty: boto3's own")
    authority: str = Field("", repr=False, description="where the Scenario Runner keeps leases: a PostgreSQL URI, or `sqlite:///PATH`")
    oracle_root: str = Field("", description="the world that may be run: a folder or `s3://bucket/prefix`; empty: any")
    stream_view_root: str = Field("", description="its sorted views; empty: `stream_view/` in it")
    engine_contracts_root: str = Field("", description="folder of the data engine's own contracts; empty: those that ship")
    launch_ref: str = Field("", description="what the deployment calls the launch of the Scenario Runner, for its record")
    identity_variable: str = Field("", description="variable that says as whom the Scenario Runner runs; it has to be set where managed")

    substrate: Path = Field(Path(".assay/substrate"), description="directory of the servers of `assay substrate up`")
    servers: str = Field(
        "packages",
        pattern="^(packages|container)$",
        description="how servers without an address start: from `packages` or in a `container`",
    )
    cache: Path = Field(default_factory=lambda: Path.home() / ".cache" / "assay", description="directory for jars and their class path")
    kafka_heap_mb: int = Field(512, ge=256, le=65536, description="heap of a Kafka started here, MB")
    maven_settings: Path = Field(
        default_factory=lambda: Path.home() / ".m2" / "settings.xml",
        description="Maven settings file; its mirrors and servers are used for jars",
    )
    maven_mirror: str = Field("", repr=False, description="address of a Maven repository; jars come from there only")

    webhook_url: str = Field(
        "",
        pattern=r"^(|https?://.+)$",
        description="URL for actions: each action is posted to the URL, and looked up at URL/key; empty records actions in a file",
    )
    packs: str = Field("", description="packs that a worker runs, separated by commas; empty runs all packs")
    fetch_wait_ms: int = Field(
        8, ge=1, le=1000, description="milliseconds that a fetch waits for more while payments come; longer: less CPU time, later decisions"
    )
    snapshot_every_s: float = Field(120.0, ge=0, description="seconds after which a standby takes a snapshot of its lane; 0 turns it off")
    snapshot_every_records: int = Field(
        20_000, ge=0, description="journal records after which a standby takes a snapshot of its lane; 0 turns it off"
    )
    failpoint: str = Field("", description="name of the failpoint at which the worker waits, for crash tests")
    failpoint_file: Path | None = Field(None, description="file that the worker writes when it waits at the failpoint")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the wiring file named by either of them, then the profile named by any of them."""
        above = {**env_settings(), **init_settings()}
        found: dict[str, Any] = {}
        if above.get("wiring"):
            found = read_document(Path(above["wiring"]).read_bytes(), Reason.SETTING_INVALID, f"wiring file {above['wiring']}")
        above = {**{str(name): value for name, value in found.items()}, **above}
        profile = _of_profile(str(above["profile"]), above) if above.get("profile") else {}
        of_file, of_profile = (
            InitSettingsSource(settings_cls, {str(name): held for name, held in given.items()}) for given in (found, profile)
        )
        return init_settings, env_settings, of_file, of_profile


def load_settings(**given: Any) -> Settings:
    """Settings from all sources; `given` wins.

    Raises Stop(SETTING_INVALID) naming the setting: unknown name (in the environment or the file), wrong value, unreadable file.
    """
    _refuse_unknown_variables()
    wiring = given.get("wiring") or os.environ.get(f"{PREFIX}WIRING")
    if wiring and not Path(wiring).is_file():
        raise _invalid("wiring", f"there is no file {wiring}")
    try:
        found = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise _invalid(name, _explain(name, first["type"], first["msg"])) from None
    if found.profile and found.partitions != (decided := load_profile(found.profile).policy.topics.traffic.partitions):
        raise _invalid("partitions", f"profile {found.profile} decides that it is {decided}: it is policy there and no wiring")
    return found


def _of_profile(name: str, above: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a profile that no source above gives, with their variables filled in; an empty one is none."""
    profile = load_profile(name)
    named = {"partitions": profile.policy.topics.traffic.partitions, **profile.wiring}
    filled = {key: expanded(value, os.environ, f"profile {name}, setting {key}") for key, value in named.items() if key not in above}
    return {key: value for key, value in filled.items() if value != ""}


def sources_of(settings: Settings) -> dict[str, str]:
    """Where each value in force comes from: `environment`, `wiring file`, `profile` or `default`, by the name of the setting.

    For settings without arguments. Raises as `load_settings`.
    """
    held = read_document(settings.wiring.read_bytes(), Reason.SETTING_INVALID, str(settings.wiring)) if settings.wiring else {}
    given = {f"{PREFIX}{name}".upper(): name for name in Settings.model_fields}
    of_environment = {name for variable, name in given.items() if os.environ.get(variable)}
    of_profile = _of_profile(settings.profile, {}.fromkeys({*of_environment, *held})) if settings.profile else {}

    def source(name: str) -> str:
        if name in of_environment:
            return "environment"
        return "wiring file" if name in held else "profile" if name in of_profile else "default"

    return {name: source(name) for name in Settings.model_fields}


def is_set(variable: str) -> bool:
    """Whether the environment has a variable that is not empty. Its value stays there."""
    return bool(os.environ.get(variable))


def value_of(variable: str) -> str:
    """What a variable of the environment holds that a setting names, for a secret that has no other place. Empty if it is not set."""
    return os.environ.get(variable, "")


def _explain(name: str, kind: str, message: str) -> str:
    """A pattern is no help to a reader; what the setting holds is."""
    described = Settings.model_fields.get(name)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        return "no such setting" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "string_pattern_mismatch" and described is not None:
        return f"the value does not fit; it is: {described.description}"
    return message


def inherited() -> dict[str, str]:
    """The environment to hand to a child process."""
    return dict(os.environ)


def expand_environment(text: str) -> str:
    """Maven's `${env.NAME}` references replaced by the variables' values; an unset one becomes empty."""
    while "${env." in text:
        before, _, rest = text.partition("${env.")
        name, _, after = rest.partition("}")
        text = before + os.environ.get(name, "") + after
    return text


def _refuse_unknown_variables() -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1)
            raise _invalid(variable, "no such setting" + (f"; did you mean {near[0]}?" if near else ""))


def _invalid(name: str, why: str) -> Stop:
    return Stop(
        Reason.SETTING_INVALID, f"setting {name}: {why}", where="environment and wiring file", remedy="docs/settings.md lists them."
    )
