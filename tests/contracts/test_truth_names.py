"""A truth column is known by its name however it is written."""

from __future__ import annotations

import pytest

from assay.contracts.truth_names import plain_name


@pytest.mark.parametrize("name", ["TX_FRAUD", "tx-fraud", "TxFraud", " tx fraud ", "tx.fraud", "ｔｘ＿ｆｒａｕｄ"])
def test_spellings_of_a_name_are_one_name(name: str) -> None:
    assert plain_name(name) == "txfraud"


def test_other_names_stay_apart() -> None:
    assert len({plain_name(name) for name in ("fraud", "fraud_score", "defraud", "é", "e")}) == 5
