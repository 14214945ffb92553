"""Users of a Kafka of ours: their properties, and the rights that the topology gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.agents.components import COMPONENTS
from assay.app.bus.rights import USER_OF, allowed
from assay.app.bus.users import BusUser, client_properties, properties_file
from assay.app.settings import load_settings
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTEXT, CONTROL, FEATURE_SETS, LABELS, POSTURE, TRAFFIC
from assay.contracts.topics import topics

GIVEN = "security.protocol=SSL\n"


def test_every_component_has_one_user() -> None:
    assert USER_OF.keys() == {one.name for one in COMPONENTS}


@pytest.mark.parametrize(
    ("user", "handles"),
    [
        (BusUser.GATE, {TRAFFIC, CONTEXT, LABELS}),
        (BusUser.RUNNER, {CONTROL, POSTURE, FEATURE_SETS}),
        (BusUser.WORKER, set(topics()) - {TRAFFIC, CONTEXT, LABELS, CONTROL, POSTURE, FEATURE_SETS}),
        (BusUser.STREAMER, set()),
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
    ("user", "handles"), [(BusUser.GATE, set()), (BusUser.RUNNER, set()), (BusUser.STREAMER, {CONTROL}), (BusUser.READER, set(topics()))]
)
def test_a_user_reads_what_its_components_declare(user: BusUser, handles: set[str]) -> None:
    assert {one.handle for one in allowed() if (one.user, one.verb) == (user, "READ")} == handles


def test_the_users_of_a_kafka_of_ours_win_over_the_settings_which_are_for_another(tmp_path: Path) -> None:
    given = tmp_path / "given.properties"
    given.write_text(GIVEN)
    properties_file(tmp_path, BusUser.GATE).write_text("sasl.username=gate\n")
    settings = load_settings(bus_properties=given)
    assert client_properties(str(tmp_path), BusUser.GATE, settings) == {"sasl.username": "gate"}
    assert client_properties("", BusUser.GATE, settings) == {"security.protocol": "SSL"}


def test_credentials_that_are_gone_are_named(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="credentials of Kafka's user 'gate' are not there") as refused:
        client_properties(str(tmp_path), BusUser.GATE)
    assert refused.value.where == str(tmp_path / "gate.properties")
