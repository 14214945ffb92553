"""A first policy can be used as it is written, for any entities, and decides what it says."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.cli import main
from assay.app.oracle.mapping import load_mapping, shipped_mappings
from assay.app.policy.documents import Policy, load_policy
from assay.app.policy.doubts import doubts_of
from assay.app.policy.fit import refuse_misfit
from assay.app.policy.grain import DAY_US, HOUR_US
from assay.app.policy.starter import Start, features_yaml, rules_yaml
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import Simulation

NAME = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True) | st.sampled_from(["on", "no", "y", "null", "e1"])
NAMES = st.lists(NAME, min_size=1, max_size=8, unique=True)


def written(start: Start) -> Policy:
    with tempfile.TemporaryDirectory() as room:
        (Path(room) / "features.yaml").write_text(features_yaml(start))
        (Path(room) / "rules.yaml").write_text(rules_yaml(start))
        return load_policy(room)


@settings(max_examples=drawn(50), deadline=None)
@given(
    NAME,
    NAMES,
    st.lists(st.sampled_from(["EUR", "GBP", "JPY"]), unique=True),
    st.none() | st.integers(0, 90 * DAY_US),
    st.sampled_from([1, HOUR_US, DAY_US]),
)
def test_it_can_be_used_for_any_names_currencies_and_delays(
    name: str, entities: list[str], currencies: list[str], delay: int | None, grain: int
) -> None:
    policy = written(Start(name, entities, currencies, delay, grain))
    assert policy.feature_plan.feature_set == policy.rule_plan.policy.policy_id == name
    document = policy.feature_plan.document
    assert document.entities == tuple(entities)
    assert document.currencies == (tuple(currencies) or None)
    assert document.label_entities == (() if delay is None else tuple(entities))
    delays_us = {one.delay_buckets * one.resolution_us for one in document.features if one.op == "fraud_rate"}
    assert all(given >= (delay or 0) for given in delays_us)
    refuse_misfit(policy, entities, currencies)
    assert doubts_of(policy) == []


def test_a_burst_of_a_payer_is_stepped_up_and_a_first_payment_is_not() -> None:
    start = Start("mine", ["payer", "shop"])
    policy = written(start)
    simulation = Simulation(features=policy.features, rules=policy.rules)
    for minute in range(6):
        simulation.payment(amount_minor=1_000, at=f"2026-01-01T00:0{minute}:00.000000Z")
    decisions = simulation.run()
    assert [one.outcome for one in decisions] == ["ALLOW"] * 5 + ["STEP_UP"]
    assert decisions[-1].reasons == ("PAYER_BURST",)


@pytest.mark.parametrize("name", shipped_mappings())
def test_the_command_writes_one_that_fits_a_mapping_and_checks_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["new", "my-shop", "--mapping", name], ["check", "my-shop", "--mapping", name]):
        with pytest.raises(SystemExit) as ended:
            main(["policy", *arguments])
        assert ended.value.code == 0
    said = capsys.readouterr().out
    mapping, policy = load_mapping(name), load_policy("my-shop")
    assert f"--mapping {name} --policy ./my-shop" in said
    assert policy.feature_plan.feature_set == "my_shop"
    assert policy.feature_plan.entities == tuple(mapping.entities)
    assert re.sub(r"[│\s]+", " ", said).count(", ".join(mapping.entities)) >= 2  # a long list goes over two lines of the table


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rules.yaml").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["policy", "new", str(tmp_path / "mine"), "--mapping", "handbook"])
    assert ended.value.code == 70
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["mine"]


@pytest.mark.parametrize("arguments", [["new", "x"], ["new", "1x", "--entity", "a"], ["new", "x", "--entity", "No"]])
def test_what_names_no_policy_or_no_entity_is_wrong_usage(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["policy", *arguments])
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_policy_of_other_entities_is_refused_by_the_check_of_a_mapping() -> None:
    mapping = load_mapping("transfers")
    with pytest.raises(Stop) as refused:
        refuse_misfit(load_policy("handbook"), list(mapping.entities), [])
    assert refused.value.reason is Reason.POLICY_ENTITY_ABSENT


@pytest.mark.parametrize(
    ("entities", "given", "said"), [("{}", [], "names no entity (at"), ("{payer: who}", ["nope"], "names no entity 'nope'")]
)
def test_an_entity_that_the_mapping_does_not_name_is_refused_and_nothing_is_written(
    entities: str, given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mine.yaml"
    mapping.write_text(
        f"mapping: mine\nrevision: '1'\noutput_id: mine\nid: id\ntime: {{column: at}}\namount: {{column: amount}}\n"
        f"currency: {{constant: EUR}}\nentities: {entities}\nkind: {{constant: card}}\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["policy", "new", str(tmp_path / "new"), "--mapping", str(mapping), *(word for name in given for word in ("--entity", name))])
    assert ended.value.code == 65
    shown = capsys.readouterr().err
    assert ("POLICY_ENTITY_ABSENT" in shown, said in shown, "under `entities`" in shown) == (True, True, True), shown
    assert list(tmp_path.iterdir()) == [mapping]


@pytest.mark.parametrize("told", [True, False])
def test_a_policy_of_a_mapping_lists_its_currencies_or_asks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, told: bool
) -> None:
    document = load_mapping("transfers").document()
    document = {name: part for name, part in document.items() if name != "currencies"} | {"currency": {"column": "ccy"}}
    document |= {"currencies": ["EUR"]} if told else {}
    mapping = tmp_path / "m.yaml"
    mapping.write_text(json.dumps(document))
    with pytest.raises(SystemExit) as end:
        main(["policy", "new", str(tmp_path / "new"), "--mapping", str(mapping)])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert ("nobody has said which currencies" in out) != told
    assert load_policy(f"{tmp_path}/new").feature_plan.document.currencies == (("EUR",) if told else None)
