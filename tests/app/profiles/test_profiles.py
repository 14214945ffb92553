"""A profile is read from a name or a file, its policy and its wiring are two things, and what is wrong with one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assay_command import assay
from profile_files import held, written

from assay.app.profiles.documents import load_profile, policy_differences, shipped_profiles, shipped_wirings, speedup_under
from assay.app.profiles.layout import PURPOSES, layout_of
from assay.app.settings import Settings
from assay.contracts.errors import Stop
from assay.contracts.handles import AUDIT, CONTROL, JOURNAL_RTDL, LABELS, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics, topics_of

DAY_MS = 86_400_000


def test_four_profiles_and_four_wirings_ship_and_are_made_of_settings() -> None:
    assert shipped_profiles() == ["dev_min", "local", "local_parity", "prod"]
    assert shipped_wirings() == ["aws", "local", "local_kinesis", "local_parity"]
    for name in shipped_profiles():
        profile = load_profile(name)
        assert (profile.profile, set(profile.wiring) - set(Settings.model_fields)) == (name, set())
        assert "engine_contracts_root" in profile.wiring


@pytest.mark.parametrize(("one", "other"), [("local", "local_parity"), ("local", "dev_min"), ("local_parity", "dev_min")])
def test_profiles_that_rehearse_the_same_differ_in_wiring_only(one: str, other: str) -> None:
    first, second = load_profile(one), load_profile(other)
    assert policy_differences(first.policy, second.policy) == []
    assert first.policy.digest == second.policy.digest
    assert first.wiring != second.wiring
    ended = assay("profile", "check", one, other)
    assert (ended.code, ended.err) == (0, "")
    assert "differs in " in ended.out


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("revision", "other"),
        ("speedup", 600),
        ("topics.traffic.partitions", 4),
        ("topics.traffic.retention", "2d"),
        ("topics.labels.retention", "4d"),
        ("topics.audit.retention", "1d"),
        ("scenario_runner.evidence_wait_s", 601),
        ("scenario_runner.reuse", "DENY"),
    ],
)
def test_a_policy_key_that_differs_is_refused_by_name(tmp_path: Path, path: str, value: Any) -> None:
    document = held()
    *inner, last = path.split(".")
    node = document["policy"]
    for name in inner:
        node = node[name]
    node[last] = value
    ended = assay("profile", "check", "local", written(tmp_path, document))
    assert (ended.code, ended.out) == (1, "")
    assert "PROFILE_POLICY_DIFFERS" in ended.err
    assert f"policy.{path}: " in ended.err
    assert ended.err.count("policy.") == 1


def test_every_key_in_which_dev_min_and_prod_differ_is_known() -> None:
    differences = policy_differences(load_profile("dev_min").policy, load_profile("prod").policy)
    assert [difference.partition(":")[0].removeprefix("policy.") for difference in differences] == [
        "revision", "speedup", "topics.case.retention", "topics.control.retention", "topics.labels.retention",
        "topics.traffic.partitions", "topics.traffic.retention",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"more": 1}, "more: Extra inputs"),
        ({"wiring": "cloud"}, "no shipped wiring 'cloud'"),
        ({"wiring": 7}, "wiring: "),
        ({"policy": {}}, "policy."),
        ({"policy": held()["policy"] | {"speedup": -1}}, "policy.speedup: "),
        ({"policy": held()["policy"] | {"speedup": float("nan")}}, "policy.speedup: "),
        (
            {"policy": held()["policy"] | {"topics": held()["policy"]["topics"] | {"control": {"partitions": 2, "retention": "1d"}}}},
            "control",
        ),
        ({"policy": held()["policy"] | {"topics": held()["policy"]["topics"] | {"audit": {"retention": "ever"}}}}, "is not a duration"),
        ({"policy": held()["policy"] | {"topics": held()["policy"]["topics"] | {"audit": {"retention": "7us"}}}}, "at least 1ms"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_with_its_key(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(Stop) as refused:
        load_profile(written(tmp_path, held() | change))
    assert refused.value.reason is Reason.PROFILE_INVALID
    assert told in refused.value.what


def test_a_profile_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path: Path) -> None:
    for name in ("nobody", str(tmp_path / "none.yaml"), "./local"):
        with pytest.raises(Stop, match="local_parity") as refused:
            load_profile(name)
        assert refused.value.reason is Reason.PROFILE_MISSING


def test_the_layout_of_dev_min_is_three_partitions_and_a_day_for_traffic_and_one_and_three_days_for_control_and_labels() -> None:
    layout = layout_of(None, load_profile("dev_min").policy.topics)
    assert layout[TRAFFIC] == (3, DAY_MS)
    assert (layout[CONTROL], layout[LABELS]) == ((1, 3 * DAY_MS), (1, 3 * DAY_MS))
    assert layout[AUDIT] == (3, 90 * DAY_MS)
    assert layout[JOURNAL_RTDL] == (1, -1)
    assert set(layout) == set(topics_of(""))
    streaming = layout_of(None, load_profile("dev_min").policy.topics, "baseline")
    assert set(streaming) == set(topics_of("baseline"))
    assert {streaming[handle] for handle in set(streaming) - set(layout)} == {(3, DAY_MS)}, "rows are traffic"
    in_production = layout_of(2, load_profile("prod").policy.topics)
    assert (in_production[TRAFFIC], in_production[AUDIT][0], in_production[CONTROL]) == ((6, 7 * DAY_MS), 6, (1, 30 * DAY_MS))


def test_no_policy_shortens_what_is_kept_for_ever() -> None:
    named = {handle for handles in PURPOSES.values() for handle in handles}
    assert named == {handle for handle, found in topics().items() if found.retention_ms != -1}


def test_without_a_profile_the_layout_is_that_of_the_topic_files() -> None:
    assert layout_of(None, None) == {handle: (found.partitions, found.retention_ms) for handle, found in topics_of("").items()}
    assert layout_of(5, None)[TRAFFIC] == (5, topics()[TRAFFIC].retention_ms)


def test_the_speed_up_is_the_callers_else_the_profiles_else_as_fast_as_it_goes() -> None:
    assert [speedup_under("prod", 7.0), speedup_under("prod", None), speedup_under("local", None), speedup_under("", None)] == [7, 1, 0, 0]
