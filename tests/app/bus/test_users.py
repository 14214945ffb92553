"""Users of a Kafka of ours: their properties, and the rights that the topology gives them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from proven_runs import make_run

from assay.agents.components import COMPONENTS
from assay.app.bus.client import hush_loopback
from assay.app.bus.rights import USER_OF, allowed
from assay.app.bus.users import BusUser, properties_file, properties_of
from assay.app.demo.new_run import wire
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.contracts.errors import Stop
from assay.contracts.handles import (
    ANSWERS,
    CONTEXT,
    CONTROL,
    FEATURE_SETS,
    GATE_PREFLIGHT,
    LABELS,
    POSTURE,
    QUARANTINE,
    RTDL,
    TRAFFIC,
)  # fmt: skip
from assay.contracts.topics import topics

GIVEN = "security.protocol=SSL\n"
#: topics of rows of a generated world alone
ROWS = {handle for handle, found in topics().items() if found.only_for}
IN_THE_CLEAR = "Sending username and password in the clear"


def test_every_component_has_one_user() -> None:
    """But who reads a Kafka of somebody else and posts over HTTP: it comes to no topic of ours."""
    assert USER_OF.keys() == {one.name for one in COMPONENTS} - {"kafka_connect"}
    assert not [edge for one in COMPONENTS if one.name == "kafka_connect" for edge in one.edges()]


@pytest.mark.parametrize(
    ("user", "handles"),
    [
        (BusUser.GATE, {TRAFFIC, CONTEXT, LABELS, ANSWERS, GATE_PREFLIGHT, *ROWS}),
        (BusUser.RUNNER, {CONTROL, POSTURE, FEATURE_SETS}),
        (BusUser.WORKER, set(topics()) - {TRAFFIC, CONTEXT, LABELS, ANSWERS, CONTROL, POSTURE, FEATURE_SETS, GATE_PREFLIGHT, *ROWS}),
        (BusUser.STREAMER, set()),
        (BusUser.LABELS, set()),
        (BusUser.READER, set()),
        (BusUser.ADMIN, set()),
    ],
)
def test_a_user_writes_what_its_components_declare(user: BusUser, handles: set[str]) -> None:
    assert {one.handle for one in allowed() if (one.user, one.verb) == (user, "WRITE")} == handles


def test_no_two_components_write_to_one_topic() -> None:
    written = [one.handle for one in allowed() if one.verb == "WRITE"]
    assert len(written) == len(set(written))


@pytest.mark.parametrize(
    ("user", "handles"),
    [
        (BusUser.GATE, {QUARANTINE, CONTROL, RTDL, ANSWERS, TRAFFIC, CONTEXT, LABELS, *ROWS}),
        (BusUser.RUNNER, set()),
        (BusUser.STREAMER, {CONTROL}),
        (BusUser.LABELS, {CONTROL}),
        (BusUser.READER, set(topics())),
    ],
)
def test_a_user_reads_what_its_components_declare(user: BusUser, handles: set[str]) -> None:
    assert {one.handle for one in allowed() if (one.user, one.verb) == (user, "READ")} == handles


def test_the_users_of_a_kafka_of_ours_win_over_the_settings_which_are_for_another(tmp_path: Path) -> None:
    given = tmp_path / "given.properties"
    given.write_text(GIVEN)
    properties_file(tmp_path, BusUser.GATE).write_text("sasl.username=gate\n")
    settings, run = load_settings(bus_properties=given), make_run(tmp_path / "run")
    assert properties_of(run.model_copy(update={"bus_users": str(tmp_path)}), BusUser.GATE, settings) == {"sasl.username": "gate"}
    assert properties_of(run, BusUser.GATE, settings) == {"security.protocol": "SSL"}


def test_a_run_that_was_begun_before_there_were_users_has_none(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save()
    wiring = json.loads((tmp_path / "run.json").read_text())
    del wiring["bus_users"]
    (tmp_path / "run.json").write_text(json.dumps(wiring))
    assert properties_of(Run.load(tmp_path), BusUser.READER, load_settings(bus_properties=None)) == {}


def test_a_run_that_was_moved_finds_its_users(tmp_path: Path) -> None:
    folder = tmp_path / "before" / "servers" / "kafka" / "users"
    folder.mkdir(parents=True)
    properties_file(folder, BusUser.READER).write_text("sasl.username=reader\n")
    given = make_run(tmp_path / "before")
    wire(given.directory, given.config, load_settings(), given.bootstrap, "", 1, 2, bus_users=str(folder))
    (tmp_path / "before").rename(tmp_path / "after")
    assert properties_of(Run.load(tmp_path / "after"), BusUser.READER) == {"sasl.username": "reader"}


def test_credentials_that_are_gone_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path).model_copy(update={"bus_users": "users"})
    with pytest.raises(Stop, match="credentials of Kafka's user 'gate' are not there") as refused:
        properties_of(run, BusUser.GATE)
    assert refused.value.where == str(tmp_path / "users" / "gate.properties")


@pytest.fixture
def warns() -> Iterator[logging.Logger]:
    """The logger of aiokafka's connections as a process finds it."""
    logger = logging.getLogger("aiokafka.conn")
    kept, logger.filters = logger.filters, []
    yield logger
    logger.filters = kept


@pytest.mark.parametrize(("bootstrap", "told"), [("broker:9092", True), ("127.0.0.1:9092", False), ("127.0.0.1:9092,broker:9092", True)])
def test_aiokafka_warns_of_a_password_in_the_clear_where_it_leaves_the_machine(
    bootstrap: str, told: bool, warns: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    hush_loopback(bootstrap)
    for text in (IN_THE_CLEAR, "another warning"):
        warns.warning(text)
    assert [one.getMessage() for one in caplog.records] == [IN_THE_CLEAR] * told + ["another warning"]
