"""The files of the users of a Kafka of ours, and what its broker is told."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from assay.app.bus.users import BusUser, properties_file
from assay.app.substrate.kafka import PROPERTIES
from assay.app.substrate.kafka_users import PROTOCOL, SERVER_PROPERTIES, admin_properties, broker_properties, users_of


def test_a_server_that_is_begun_gets_a_file_for_each_user_that_its_owner_alone_may_read(tmp_path: Path) -> None:
    folder = users_of(tmp_path / "kafka", begin=True)
    assert folder is not None
    assert {file.name for file in folder.iterdir()} == {f"{user}.properties" for user in BusUser}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_server_that_was_begun_without_users_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").touch()
    assert users_of(tmp_path, begin=True) is None
    assert admin_properties(None) == {}


def test_a_server_has_no_users_unless_somebody_wants_them(tmp_path: Path) -> None:
    assert users_of(tmp_path, begin=False) is None
    assert not (tmp_path / "users").exists()


def test_a_server_with_users_keeps_them_however_it_is_started(tmp_path: Path) -> None:
    folder = users_of(tmp_path, begin=True)
    assert folder is not None
    before = {file: file.read_text() for file in folder.iterdir()}
    assert users_of(tmp_path, begin=False) == folder
    assert {file: file.read_text() for file in folder.iterdir()} == before


def test_a_user_whose_file_is_gone_gets_another_password(tmp_path: Path) -> None:
    folder = users_of(tmp_path, begin=True)
    assert folder is not None
    file = properties_file(folder, BusUser.GATE)
    before = file.read_text()
    file.unlink()
    users_of(tmp_path, begin=False)
    assert file.read_text() != before


def test_a_server_with_users_does_not_go_on_without_when_their_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").touch()
    (tmp_path / SERVER_PROPERTIES).write_text(PROPERTIES.format(host="h", broker=1, controller=2, data="d", protocol=PROTOCOL))
    folder = users_of(tmp_path, begin=False)
    assert folder is not None
    assert {file.name for file in folder.iterdir()} == {f"{user}.properties" for user in BusUser}
    (tmp_path / SERVER_PROPERTIES).write_text(PROPERTIES.format(host="h", broker=1, controller=2, data="d", protocol="PLAINTEXT"))
    shutil.rmtree(folder)
    assert users_of(tmp_path, begin=True) is None


def test_the_port_of_the_controller_knows_the_administrator_alone(tmp_path: Path) -> None:
    folder = users_of(tmp_path, begin=True)
    assert folder is not None
    lines = dict(line.split("=", 1) for line in broker_properties(folder).splitlines())
    known = {name: {user for user in BusUser if f"user_{user}=" in value} for name, value in lines.items() if name.endswith("jaas.config")}
    assert known == {
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": set(BusUser),
        "listener.name.controller.plain.sasl.jaas.config": {BusUser.ADMIN},
    }
    assert lines["super.users"] == "User:admin"
