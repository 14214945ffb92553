"""Settings come from one place, in a stated order, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from assay.app.reference.settings_page import settings_reference
from assay.app.settings import Settings, expand_environment, load_settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ASSAY_{name.upper()}", raising=False)


def test_an_argument_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = tmp_path / "wiring.yaml"
    wiring.write_text("partitions: 5\ngate_port: 5005\nnamespace: from.file.\n")
    monkeypatch.setenv("ASSAY_WIRING", str(wiring))
    monkeypatch.setenv("ASSAY_PARTITIONS", "6")
    monkeypatch.setenv("ASSAY_GATE_PORT", "6006")
    found = load_settings(gate_port=7007)
    assert (found.gate_port, found.partitions, found.namespace, found.kafka_heap_mb) == (7007, 6, "from.file.", 512)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PARTITIONS", "")
    assert load_settings().partitions == 3


def test_settings_do_not_change_and_do_not_show_secrets() -> None:
    found = load_settings(sql="postgresql://user:planted@host/db", api_key="planted", authority="postgresql://user:planted@host/db")
    with pytest.raises(ValidationError):
        found.partitions = 4
    assert "planted" not in repr(found)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ASSAY_BUZ", "x:1", "did you mean ASSAY_BUS?"),
        ("ASSAY_BUS", "no-port", "host:port"),
        ("ASSAY_SQL", "host=h", "connection URI"),
        ("ASSAY_PARTITIONS", "many", "partitions"),
        ("ASSAY_PARTITIONS", "0", "partitions"),
        ("ASSAY_NAMESPACE", "a b", "namespace"),
        ("ASSAY_SERVERS", "cloud", "container"),
        ("ASSAY_WIRING", "/no/such/file.yaml", "/no/such/file.yaml"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Stop) as refused:
        load_settings()
    assert refused.value.reason is Reason.SETTING_INVALID
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("partition: 3", "did you mean partitions?"),
        ("- a list", "expected keys and values (at wiring file"),
        ("a: [", "not YAML"),
        ("partitions: x", "partitions"),
        ("partitions: 3\npartitions: 4", "line 2: the key 'partitions' is given a second time, first in line 1"),
        ("3: partitions", "setting 3: no such setting"),
    ],
)
def test_a_wrong_wiring_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    wiring = tmp_path / "wiring.yaml"
    wiring.write_text(text)
    with pytest.raises(Stop) as refused:
        load_settings(wiring=wiring)
    assert refused.value.reason is Reason.SETTING_INVALID
    assert told in str(refused.value)


@pytest.mark.parametrize("bus", ["", "localhost:9092", "a.b:1,c:65535", "[::1]:9092", "broker-0.example:9093,broker-1.example:9093"])
def test_bootstrap_servers_of_any_usual_form_are_taken(bus: str) -> None:
    assert load_settings(bus=bus).bus == bus


def test_maven_references_to_variables_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_USER", "kim")
    monkeypatch.delenv("REPO_NONE", raising=False)
    assert expand_environment("<${env.REPO_USER}|${env.REPO_NONE}>") == "<kim|>"


def test_the_settings_reference_is_what_the_declarations_say() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_reference(), "run: python -m assay.app.reference.settings_page docs/settings.md"
