"""`assay topic`: print any topic, and create the topics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.properties import read_bus_properties
from assay.app.bus.record_view import shown
from assay.app.bus.topic_reader import TopicRecord, read_records
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.profiles.documents import load_profile
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.app.settings import load_settings
from assay.contracts.handles import RTDL
from assay.contracts.topics import topic, topic_named
from assay.contracts.visible import one_line

app = plain_app("Print any topic; create the topics.", no_args_is_help=True)

RunOption = Annotated[Path | None, typer.Option("--run", help="directory of a run: its broker and namespace")]
BootstrapOption = Annotated[str, typer.Option(help="Kafka bootstrap servers, host:port[,host:port]")]
NamespaceOption = Annotated[str, typer.Option(help="put before every topic name")]


@app.command(short_help="print the records of a topic, one a line")
def cat(
    name: Annotated[str, typer.Argument(metavar="TOPIC", help=f"name or handle of a topic: {topic(RTDL).name()} or {RTDL}")],
    *,
    first: Annotated[int, typer.Option("--from", min=0, help="first offset")] = 0,
    last: Annotated[int | None, typer.Option("--to", help="last offset, inclusive")] = None,
    partition: Annotated[int | None, typer.Option(help="this partition only")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="at most so many records")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object per line")] = False,
    run: RunOption = None,
    bootstrap: BootstrapOption = "",
    namespace: NamespaceOption = "",
) -> None:
    """Print the records of a topic, one a line: partition@offset, key, record name, fields."""
    address, prefix, properties = _wiring(run, bootstrap, namespace, BusUser.READER)
    handle = topic_named(name, prefix).handle
    for record in read_records(address, handle, prefix, properties, partition=partition, first=first, last=last, limit=limit):
        say(line(record, as_json=as_json))


@app.command(short_help="create every topic that is not there")
def create(
    *,
    run: RunOption = None,
    bootstrap: BootstrapOption = "",
    namespace: NamespaceOption = "",
    partitions: Annotated[int | None, typer.Option(min=1, help="partitions of the topics that scale")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="names of the created topics as JSON")] = False,
) -> None:
    """Create every topic that is not there; refuse one that is there in another shape.

    Partitions and retention are those of the run, or of the profile in force, or of the topic files.
    """
    address, prefix, properties = _wiring(run, bootstrap, namespace, BusUser.ADMIN)
    decided, retention_ms, traffic = _layout(run)
    created = create_topics(address, prefix, partitions or decided, properties, retention_ms, traffic)
    if as_json:
        say_json({"created": created})
        return
    say("\n".join(f"created {name}" for name in created) or "all topics are there")


def line(record: TopicRecord, *, as_json: bool) -> str:
    """One record as one line."""
    name, value = shown(record.value)
    key = None if record.key is None else one_line(record.key.decode(errors="backslashreplace"))
    if as_json:
        whole = {"partition": record.partition, "offset": record.offset, "key": key, "record": name, "value": value}
        return json.dumps(whole, ensure_ascii=False)
    return f"{record.partition}@{record.offset}\t{key if key is not None else '-'}\t{name}\t{json.dumps(value, ensure_ascii=False)}"


def main(arguments: list[str]) -> int:
    """Run `assay topic` with the remaining arguments."""
    return app(arguments, prog_name="assay topic", standalone_mode=False) or 0


def _layout(run: Path | None) -> tuple[int | None, dict[str, int], str]:
    """(partitions of the topics that scale, retention by handle, traffic of a generated world) of a run, or of the profile in force."""
    if run is not None:
        loaded = Run.load(run)
        return loaded.partitions, loaded.config.retention_ms, loaded.config.traffic
    settings = load_settings()
    topics = load_profile(settings.profile).policy.topics if settings.profile else None
    return (topics.traffic.partitions, topics.retention_ms(), "") if topics else (None, {}, "")


def _wiring(run: Path | None, bootstrap: str, namespace: str, user: BusUser) -> tuple[str, str, dict[str, str]]:
    """(bootstrap, namespace, client properties): an option wins over the run, the run over the settings."""
    settings = load_settings()
    if run is not None:
        loaded = Run.load(run)
        properties = read_bus_properties(settings.bus_properties) if bootstrap else properties_of(loaded, user, settings)
        return bootstrap or loaded.bootstrap, namespace or loaded.namespace, properties
    if not (bootstrap or settings.bus):
        raise typer.BadParameter("give --run DIRECTORY or --bootstrap HOST:PORT, or set ASSAY_BUS")
    return bootstrap or settings.bus, namespace or settings.namespace, read_bus_properties(settings.bus_properties)
