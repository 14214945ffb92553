"""The settlement lock: each thing that does not last or is not pinned is refused by the name of its setting."""

from __future__ import annotations

from typing import Any

import pytest
from assay_command import assay
from profile_files import MANAGED

from assay.app.profiles.settlement import Settled, faults_of, refuse_unsettled
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROOT = "s3://oracle/worlds/c25a2675fbfbacd9"
PINS = {"oracle_root": ROOT, "stream_view_root": f"{ROOT}/stream_view/ts_utc"}
WHOLE = Settled(
    control_bus="kafka",
    bus="b.example.org:9093",
    sql="postgresql://h/db",
    store="s3://assay/runs",
    authority="postgresql://h/db",
    pins=PINS,
    launch_ref="task-7",
    identity_variable="ROLE",
    identified=True,
)


def test_what_lasts_and_is_pinned_is_taken() -> None:
    for taken in (WHOLE, WHOLE._replace(control_bus="kinesis", authority="postgres://h/db")):
        refuse_unsettled(taken, "profile prod")


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"control_bus": "file"}, "control_bus"),
        ({"bus": ""}, "bus"),
        ({"sql": ""}, "sql"),
        ({"store": ""}, "store"),
        ({"store": "/srv/store"}, "store"),
        ({"authority": ""}, "authority"),
        ({"authority": "sqlite:////srv/authority.db"}, "authority"),
        ({"launch_ref": ""}, "launch_ref"),
        ({"identity_variable": "", "identified": False}, "identity_variable"),
        ({"identified": False}, "identity_variable"),
        ({"pins": PINS | {"oracle_root": ""}}, "oracle_root"),
        ({"pins": PINS | {"oracle_root": "/srv/worlds/one"}}, "oracle_root"),
        ({"pins": PINS | {"stream_view_root": ""}}, "stream_view_root"),
        ({"pins": PINS | {"stream_view_root": "s3://oracle/worlds/other/stream_view/ts_utc"}}, "stream_view_root"),
        ({"pins": PINS | {"stream_view_root": f"{ROOT}/stream_views"}}, "stream_view_root"),
    ],
)
def test_what_does_not_last_is_refused_by_its_setting(change: dict[str, Any], setting: str) -> None:
    assert {name for name, _ in faults_of(WHOLE._replace(**change))} == {setting}
    with pytest.raises(Stop) as refused:
        refuse_unsettled(WHOLE._replace(**change), "profile prod")
    assert refused.value.reason is Reason.SETTLEMENT_LOCK
    assert refused.value.what.startswith(f"{setting}: ")


@pytest.mark.parametrize("name", ["latest", "LATEST", "current", "run=latest", "v1-latest", "head", "*", "worl?", "w[12]", "{a,b}"])
def test_a_pin_that_may_mean_another_world_tomorrow_is_refused(name: str) -> None:
    for root in (f"s3://oracle/{name}", f"s3://oracle/{name}/world"):
        pins = {"oracle_root": root, "stream_view_root": f"{root}/stream_view/ts_utc"}
        assert {setting for setting, _ in faults_of(WHOLE._replace(pins=pins))} == {"oracle_root", "stream_view_root"}


@pytest.mark.parametrize("name", ["latestone", "currents", "concurrent", "headers", "ahead"])
def test_a_name_that_only_holds_such_a_word_is_taken(name: str) -> None:
    root = f"s3://oracle/{name}"
    refuse_unsettled(WHOLE._replace(pins={"oracle_root": root, "stream_view_root": f"{root}/stream_view/ts_utc"}), "")


def test_all_faults_are_told_at_once_and_no_address() -> None:
    with pytest.raises(Stop) as refused:
        refuse_unsettled(WHOLE._replace(control_bus="file", sql="", authority="sqlite:///secret-path"), "profile prod")
    assert [fault.partition(":")[0] for fault in refused.value.what.split("; ")] == ["control_bus", "sql", "authority"]
    assert "secret-path" not in str(refused.value)


PROFILED: dict[str, Any] = {**MANAGED, "ASSAY_PROFILE": "dev_min"}


def test_a_managed_profile_is_locked_before_anything_is_started() -> None:
    assert assay("profile", "settle", **PROFILED).out == "managed: everything lasts and is pinned\n"
    for command in (("profile", "settle"), ("up",), ("demo", "--rows", "10")):
        ended = assay(*command, **PROFILED, ASSAY_AUTHORITY="sqlite:///here.db")
        assert (ended.code, "SETTLEMENT_LOCK: authority: " in ended.err) == (70, True), ended.text
    assert assay("profile", "settle", ASSAY_PROFILE="local").out == "open: nothing is locked\n"
