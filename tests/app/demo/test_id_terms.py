"""What a live run does with ids is said when it begins, of entities that are known, and never changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_process import KEY

from assay.app.demo.id_terms import AS_THEY_COME, IdTerms, id_terms, refuse_other_ids
from assay.app.demo.new_run import live_config
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ID, HANDBOOK = "platform_20260101T000000Z", load_policy("handbook")
TERMS = id_terms(["customer", "card", "customer"], ["terminal"])


def begun(directory: Path, ids: IdTerms) -> Path:
    config = live_config(ID, HANDBOOK, ids)
    Run(directory=directory, config=config, bootstrap="127.0.0.1:9", dsn="postgresql://nobody@127.0.0.1:9/none", api_key=KEY).save()
    return directory


def test_the_same_names_are_the_same_run_in_whatever_order_they_are_said() -> None:
    assert id_terms(["card", "customer"], ["terminal"]) == TERMS
    config = live_config(ID, HANDBOOK, TERMS)
    assert (config.pseudonymise, config.ids_in_clear) == (("card", "customer"), ("terminal",))
    assert live_config(ID, HANDBOOK, id_terms(None, None)) == live_config(ID, HANDBOOK)


@pytest.mark.parametrize(
    ("ids", "option", "remedy"),
    [
        (IdTerms(("costumer",)), "--pseudonymise", "Did you mean 'customer'? The entities are account, card, customer"),
        (IdTerms((), ("shoe",)), "--ids-in-clear", "The entities are account"),
    ],
)
def test_a_name_that_nothing_knows_is_refused(ids: IdTerms, option: str, remedy: str) -> None:
    with pytest.raises(Stop) as refused:
        live_config(ID, HANDBOOK, ids)
    assert (refused.value.reason, refused.value.where) == (Reason.ENTITY_UNKNOWN, option)
    assert refused.value.remedy.startswith(remedy)


def test_a_run_goes_on_with_the_names_that_it_was_begun_with(tmp_path: Path) -> None:
    directory = begun(tmp_path / "run", TERMS)
    for same in (TERMS, AS_THEY_COME):
        refuse_other_ids(directory, same)
    refuse_other_ids(tmp_path / "another", IdTerms(("customer",)))
    with pytest.raises(Stop) as refused:
        refuse_other_ids(directory, IdTerms(("customer",)))
    assert refused.value.reason is Reason.RUN_SCOPE_MISMATCH
    assert refused.value.what == "this run was begun with --pseudonymise card, --pseudonymise customer, --ids-in-clear terminal"


def test_a_run_that_was_begun_without_them_is_no_run_with_them(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="begun with neither --pseudonymise nor --ids-in-clear"):
        refuse_other_ids(begun(tmp_path / "run", AS_THEY_COME), TERMS)
