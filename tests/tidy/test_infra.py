"""What infra/ shows is true: the wiring is made of settings, and the container recipe names files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from source_tree import ROOT

from assay.app.bus.properties import aiokafka_arguments, read_bus_properties
from assay.app.cli import COMMANDS
from assay.app.settings import Settings, load_settings

DOCKERFILE = (ROOT / "infra/Dockerfile").read_text(encoding="utf-8")


def test_the_wiring_example_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ASSAY_{name.upper()}", raising=False)
    settings = load_settings(wiring=ROOT / "infra/wiring.yaml")
    assert settings.bus.count(":") == 2
    assert settings.sql.startswith("postgresql://")
    assert settings.bus_properties == Path("infra/bus.properties")


def test_both_clients_understand_the_properties_example(tmp_path: Path) -> None:
    text = (ROOT / "infra/bus.properties").read_text(encoding="utf-8").splitlines()
    kept = tmp_path / "bus.properties"
    kept.write_text("\n".join(line for line in text if "ca.location" not in line))  # no certificates are in a test's directory
    assert aiokafka_arguments(read_bus_properties(kept))["security_protocol"] == "SASL_SSL"


def test_the_container_copies_files_that_exist() -> None:
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_container_runs_commands_that_exist() -> None:
    commands = re.findall(r"^RUN assay (\w+)", DOCKERFILE, re.MULTILINE) + re.findall(r'^CMD \["(\w+)"', DOCKERFILE, re.MULTILINE)
    assert set(commands) <= set(COMMANDS)
    assert len(commands) == 2


def test_the_container_sets_settings_that_exist() -> None:
    named = set(re.findall(r"\bASSAY_([A-Z0-9_]+)=", DOCKERFILE))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_services_of_the_compose_file_listen_where_the_wirings_look_for_them() -> None:
    services = yaml.safe_load((ROOT / "infra/compose.yaml").read_text(encoding="utf-8"))["services"]
    published = {name: port.rsplit(":", 1)[0] for name, service in services.items() for port in service["ports"]}
    for name, wiring in (("kafka", "local_parity"), ("postgres", "local_parity"), ("kinesis", "local_kinesis")):
        text = (ROOT / f"assay/contracts/profiles/wirings/{wiring}.yaml").read_text(encoding="utf-8")
        assert published[name] in text, name
    user, database = (services["postgres"]["environment"][name] for name in ("POSTGRES_USER", "POSTGRES_DB"))
    assert f"postgresql://{user}@{published['postgres']}/{database}" in text
