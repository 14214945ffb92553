"""A profile is the lowest source of settings above the defaults; its variables are filled in, and no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assay_command import assay
from profile_files import held, written

from assay.app.settings import Settings, load_settings, sources_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PARITY = {"bus": "127.0.0.1:9092", "control_bus": "kafka", "settlement": "open", "store": "s3://assay", "partitions": 3}
SECRET = "planted-word"  # noqa: S105 - it is planted


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*(f"ASSAY_{name.upper()}" for name in Settings.model_fields), "KAFKA_BOOTSTRAP_SERVERS", "PARITY_SQL", "PARITY_STORE"):
        monkeypatch.delenv(name, raising=False)


def test_an_argument_wins_over_the_environment_over_the_file_over_the_profile_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = written(tmp_path, held() | {"wiring": {"gate_port": 1, "web_port": 1, "namespace": "profile.", "kafka_heap_mb": 1024}})
    wiring = tmp_path / "wiring.yaml"
    wiring.write_text(f"profile: {profile}\ngate_port: 2\nweb_port: 2\nnamespace: file.\n")
    monkeypatch.setenv("ASSAY_WIRING", str(wiring))
    monkeypatch.setenv("ASSAY_GATE_PORT", "3")
    monkeypatch.setenv("ASSAY_WEB_PORT", "3")
    found = load_settings(web_port=4)
    assert (found.web_port, found.gate_port, found.namespace, found.kafka_heap_mb, found.gate_host) == (4, 3, "file.", 1024, "127.0.0.1")
    told = sources_of(load_settings())
    assert [told[name] for name in ("gate_port", "namespace", "kafka_heap_mb", "gate_host", "profile", "partitions")] == [
        "environment", "wiring file", "profile", "default", "wiring file", "profile",
    ]  # fmt: skip


def test_the_environment_names_a_shipped_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PROFILE", "local_parity")
    assert {name: load_settings().model_dump()[name] for name in PARITY} == PARITY


@pytest.mark.parametrize(
    ("text", "variables", "filled"),
    [
        ("${PLACE}", {"PLACE": "a."}, "a."),
        ("x${PLACE}y", {"PLACE": "."}, "x.y"),
        ("${PLACE:-b.}", {}, "b."),
        ("${PLACE:-b.}", {"PLACE": ""}, "b."),
        ("${PLACE:-b.}", {"PLACE": "a."}, "a."),
        ("${PLACE:-}", {}, ""),
        ("${ONE}${TWO:-2}", {"ONE": "1"}, "12"),
        ("PLACE", {"PLACE": "a."}, "PLACE"),
    ],
)
def test_a_variable_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str], filled: str
) -> None:
    for name in ("PLACE", "ONE", "TWO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings(profile=written(tmp_path, held() | {"wiring": {"namespace": text}})).namespace == filled


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_missing_is_an_error_that_names_it_unless_the_setting_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.delenv("PLACE", raising=False) if value is None else monkeypatch.setenv("PLACE", value)
    profile = written(tmp_path, held() | {"wiring": {"namespace": "${PLACE}"}})
    with pytest.raises(Stop, match="PLACE is not set") as refused:
        load_settings(profile=profile)
    assert refused.value.reason is Reason.SETTING_INVALID
    assert refused.value.where.endswith("setting namespace")
    assert load_settings(profile=profile, namespace="given.").namespace == "given."


def test_partitions_are_policy_under_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PARTITIONS", "3")
    assert load_settings(profile="local").partitions == 3
    assert load_settings().partitions == 3
    monkeypatch.setenv("ASSAY_PARTITIONS", "4")
    with pytest.raises(Stop, match="profile local decides that it is 3") as refused:
        load_settings(profile="local")
    assert refused.value.reason is Reason.SETTING_INVALID


def test_a_setting_that_there_is_not_is_refused_in_a_profile(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="did you mean namespace") as refused:
        load_settings(profile=written(tmp_path, held() | {"wiring": {"namespaces": "x."}}))
    assert refused.value.reason is Reason.SETTING_INVALID


def test_what_is_in_force_is_shown_with_its_source_and_without_a_secret() -> None:
    given: dict[str, Any] = {
        "ASSAY_PROFILE": "local_parity",
        "ASSAY_SQL": f"postgresql://me:{SECRET}@h/db",
        "ASSAY_API_KEY": SECRET,
        "PARITY_AUTHORITY": f"postgresql://me:{SECRET}@h/db",
    }
    told, facts = assay("profile", "show", **given), assay("profile", "show", "--json", **given)
    assert (told.code, facts.code) == (0, 0)
    assert SECRET not in told.text + facts.text
    shown = json.loads(facts.out)
    assert shown["settings"]["sql"] == {"value": "postgresql://me:…@h/db", "source": "environment"}
    assert shown["settings"]["authority"] == {"value": "postgresql://me:…@h/db", "source": "profile"}
    assert shown["settings"]["api_key"] == {"value": "…", "source": "environment"}
    assert shown["settings"]["gate_port"] == {"value": "0", "source": "default"}
    assert shown["policy"]["topics.traffic"] == "partitions 3, retention 1d"
    assert "topics.traffic" in told.out


def test_without_a_profile_nothing_is_decided_by_one() -> None:
    ended = assay("profile", "show", ASSAY_PROFILE="")
    assert (ended.code, ended.out.splitlines()[-1][:10]) == (0, "no profile")
    assert json.loads(assay("profile", "list", "--json").out)["profiles"] == ["dev_min", "local", "local_parity", "prod"]
    assert assay("profile", "list").code == 0
