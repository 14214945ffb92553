"""Identity, policy and wiring of a new run."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from assay.app.bus.rights import grant
from assay.app.bus.topics import claim_namespace, create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.database.rights import NO_ROLES, SqlAddresses
from assay.app.demo.id_terms import AS_THEY_COME, IdTerms, refuse_unknown
from assay.app.oracle import mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.unnamed import rows_without
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.policy.documents import Policy
from assay.app.policy.fit import refuse_misfit
from assay.app.profiles.documents import load_profile
from assay.app.profiles.layout import layout_of
from assay.app.run.directory import Run, RunConfig, live_key, place_of
from assay.app.run.frozen import POLICY_FIELDS, changed, freeze
from assay.app.run.keys import new_key
from assay.app.settings import Settings
from assay.app.stores.durable import replace_file
from assay.app.stores.objects import ObjectExists, SizedObjects
from assay.app.stores.places import lasting, shared_store
from assay.contracts.errors import Stop
from assay.contracts.ids import scenario_run_id
from assay.contracts.reasons import Reason

#: stands in the directory of a run from its claim on
CLAIMING = ".claiming"


#: the object by which a run has its prefix of a store that runs share
CLAIM = "run/claim"


def run_id_at(now_us: int) -> str:
    """A platform_run_id, from the wall clock to the second."""
    return datetime.fromtimestamp(now_us / 1e6, UTC).strftime("platform_%Y%m%dT%H%M%SZ")


def new_directory(runs: Path, now_us: int) -> Path:
    """Make the directory of a new run, named by its id: the second it begins in, or the next in which no run began here.

    An id has no room for less than a second; who makes the directory has it.
    """
    runs.mkdir(parents=True, exist_ok=True)
    for second in count():
        directory = runs / run_id_at(now_us + second * 1_000_000)
        with suppress(FileExistsError):
            directory.mkdir()
            break
    return directory


def claim_topics(directory: Path, config: RunConfig, settings: Settings, bootstrap: str, properties: Mapping[str, str]) -> None:
    """Before a new run is wired to a Kafka that others use: its id, which names its topics there, has to be its own.

    A run that is interrupted after its claim finds the claim taken when it goes on; a file says that it was its own.
    Raises Stop(RUN_ID_TAKEN).
    """
    if not settings.bus or settings.namespace or (directory / "run.json").is_file():
        return
    claiming = directory / CLAIMING
    mine = claiming.is_file()
    replace_file(claiming, b"")
    if not claim_namespace(bootstrap, f"{config.platform_run_id}.", properties, config.retention_ms) and not mine:
        claiming.unlink()
        raise Stop(
            Reason.RUN_ID_TAKEN,
            f"another run on this Kafka is {config.platform_run_id}: both began in one second",
            where=bootstrap,
            remedy="Begin the run again; without --run it gets another id.",
        )


def claim_store(directory: Path, platform_run_id: str, settings: Settings) -> tuple[str, SizedObjects]:
    """Where a run keeps its objects (`Run.store_root`), and that store. A new run claims its prefix of a store that runs share.

    Raises Stop(RUN_ID_TAKEN) where a run of this id has it that began in another directory, and as the store does.
    """
    if (directory / "run.json").is_file():
        known = Run.load(directory)
        return known.store_root, known.store
    root = lasting(settings.store)
    store = shared_store(place_of(root, directory, platform_run_id))
    if root:
        mine = f"{platform.node()} {directory.resolve()}".encode()
        try:
            store.create(CLAIM, mine)
        except ObjectExists:
            if store.read(CLAIM) != mine:
                what = f"another run in this store is {platform_run_id}"
                remedy = "Begin the run again; without --run it gets another id."
                raise Stop(Reason.RUN_ID_TAKEN, what, where=root, remedy=remedy) from None
    return root, store


def open_topics(run: Run, settings: Settings) -> None:
    """Make what topics of the run are missing, and give the users of its Kafka their rights. Raises Stop(TOPIC_MISMATCH)."""
    config, properties = run.config, properties_of(run, BusUser.ADMIN, settings)
    create_topics(run.bootstrap, run.namespace, run.partitions, properties, config.retention_ms, config.traffic)
    grant(run)


def world_config(platform_run_id: str, manifest: WorldManifest, policy: Policy, label_delay_us: int | None = None) -> RunConfig:
    """Config of a run over a sealed world. Raises Stop(POLICY_ENTITY_ABSENT, CURRENCY_NOT_OF_POLICY)."""
    refuse_misfit(policy, manifest.entities, manifest.currencies)
    run = scenario_run_id(f"{platform_run_id}|{manifest.manifest_fingerprint}")
    if label_delay_us is None and manifest.truth_summary is not None:
        label_delay_us = manifest.truth_summary.delay_us  # as the world's mapping says
    delay = {} if label_delay_us is None else {"label_delay_us": label_delay_us}
    read = mapping.Mapping.model_validate(manifest.mapping)
    truth = read.truth
    return RunConfig(
        platform_run_id=platform_run_id,
        scenario_run_id=run,
        manifest_fingerprint=manifest.manifest_fingerprint,
        parameter_hash=manifest.parameter_hash,
        scenario_id=manifest.scenario_id,
        seed=manifest.seed,
        run_id=run,
        ordering="event_time",
        truth_columns=tuple(sorted(truth.columns())) if truth else (),
        extra_entities=extra_entities(manifest, policy.feature_plan.entities),
        extra_currencies=read.extra_currencies,
        earliest=read.time.earliest or "",
        ids_in_clear=read.ids_in_clear or (),
        pseudonymise=read.pseudonymise or (),
        features=policy.features,
        policy=policy.rules,
        **delay,  # type: ignore[arg-type]
    )


def as_profiled(config: RunConfig, directory: Path, settings: Settings) -> RunConfig:
    """A configuration with the topic layout and the policy of the profile in force; a run that has begun keeps its own.

    Raises Stop(POLICY_CHANGED_MID_RUN) when the profile in force decides otherwise than the one the run was begun under.
    """
    policy = load_profile(settings.profile).policy if settings.profile else None
    known = Run.load(directory).config if (directory / "run.json").is_file() else None
    if known is not None:
        if policy is not None and policy.digest != known.profile_policy:
            raise changed([f"policy of a profile than {settings.profile}"], directory / "run.json")
        return config.model_copy(update={"topic_layout": known.topic_layout, "profile_policy": known.profile_policy})
    layout = layout_of(settings.partitions, policy.topics if policy else None, config.traffic)
    return config.model_copy(update={"topic_layout": layout, "profile_policy": policy.digest if policy else ""})


def refuse_unnamed(world: SealedWorld, policy: Policy, *, go_on: bool) -> int:
    """How many payments of a world the gate will refuse, because they name no entity of the policy.

    Raises Stop(ENTITY_MISSING) if there are any, unless somebody said to `go_on`.
    """
    entities = policy.feature_plan.entities
    unnamed = rows_without(world, entities)
    if unnamed and not go_on:
        rows, all_of_them = world.manifest.rows, unnamed == world.manifest.rows
        raise Stop(
            Reason.ENTITY_MISSING,
            f"{'all' if all_of_them else f'{unnamed:,} of'} {rows:,} payments name no {' and no '.join(entities)}: the gate refuses them",
            where=f"entities of policy '{policy.name}'",
            remedy="Map more columns as entities, or take these rows out with 'filter'; --let-gate-refuse decides the others all the same.",
        )
    return unnamed


def extra_entities(manifest: WorldManifest, of_policy: Iterable[str]) -> tuple[str, ...]:
    """What the payments of a world name beside the entities of a policy."""
    return tuple(sorted(set(manifest.entities).difference(of_policy)))


def live_config(platform_run_id: str, policy: Policy, ids: IdTerms = AS_THEY_COME) -> RunConfig:
    """Config of a run over whatever is posted: its world is the policy it is decided under. Raises Stop(ENTITY_UNKNOWN)."""
    refuse_unknown(ids, policy)
    world = hashlib.sha256(f"live|{platform_run_id}".encode()).hexdigest()
    run = scenario_run_id(live_key(platform_run_id))
    return RunConfig(
        platform_run_id=platform_run_id,
        scenario_run_id=run,
        manifest_fingerprint=world,
        parameter_hash=hashlib.sha256(policy.name.encode()).hexdigest(),
        scenario_id="live",
        seed=0,
        run_id=run,
        ordering="arrival",
        ids_in_clear=ids.in_clear,
        pseudonymise=ids.pseudonymise,
        features=policy.features,
        policy=policy.rules,
    )


def wire(
    directory: Path,
    config: RunConfig,
    settings: Settings,
    bootstrap: str,
    dsn: str,
    gate_port: int,
    web_port: int,
    roles: SqlAddresses = NO_ROLES,
    bus_users: str = "",
) -> Run:
    """Wiring of a run, kept across restarts but for addresses that changed. Raises as `claim_store`."""
    known = Run.load(directory) if (directory / "run.json").is_file() else None
    run = Run(
        directory=directory,
        config=config,
        # on a Kafka that others use, every run has topics of its own
        namespace=known.namespace if known else settings.namespace or (f"{config.platform_run_id}." if settings.bus else ""),
        bootstrap=bootstrap,
        dsn=dsn,
        gate_dsn=roles.gate,
        runner_dsn=roles.runner,
        streamer_dsn=roles.streamer,
        reader_dsn=roles.reader,
        bus_users=os.path.relpath(bus_users, directory.resolve()) if bus_users else "",  # a directory may be moved
        store_root=claim_store(directory, config.platform_run_id, settings)[0],
        gate_url=f"http://{settings.gate_host}:{gate_port}",
        worker_url=f"http://{settings.web_host}:{web_port}",
        api_key=known.api_key if known else settings.api_key or new_key(),
        earlier_api_key=known.earlier_api_key if known else "",
        partitions=known.partitions if known else settings.partitions,
    )
    run.save()
    freeze(run.store, config)
    return run


def refuse_other_config(directory: Path, config: RunConfig) -> None:
    """Raises Stop(RUN_SCOPE_MISMATCH) when the directory's run was begun with other input or mapping, and
    Stop(POLICY_CHANGED_MID_RUN) when its policy alone is another.
    """
    if not (directory / "run.json").is_file():
        return
    before, now = Run.load(directory).config.model_dump(mode="json"), config.model_dump(mode="json")
    others = [name for name in before if before[name] != now[name]]
    if others and set(others) <= set(POLICY_FIELDS):
        raise changed(others, directory / "run.json")
    if others:
        raise Stop(
            Reason.RUN_SCOPE_MISMATCH,
            f"this run was begun with another {', '.join(others)}",
            where=str(directory / "run.json"),
            remedy="Resume it with the input, mapping and policy it began with, or leave out --run to begin another.",
        )


def refuse_other_policy(directory: Path, policy: Policy) -> None:
    """Raises Stop(POLICY_CHANGED_MID_RUN) when the directory's run decides by other documents: it has one policy from its first payment."""
    if not (directory / "run.json").is_file():
        return
    config = Run.load(directory).config
    for part, known, now in (("features", config.features, policy.features), ("rules", config.policy, policy.rules)):
        if known != now:
            same = "under the same revision " if known.get("revision") == now.get("revision") else ""
            raise Stop(
                Reason.POLICY_CHANGED_MID_RUN,
                f"the {part} of policy '{policy.name}' are {same}not those this run was begun with",
                where=str(directory / "run.json"),
                remedy="Leave out --policy to go on with this run, or begin another one: --run DIR.",
            )
