"""Features of a world's payments: those of the lane, with labels folded when the bank knew and not before."""

from __future__ import annotations

import polars as pl
import pytest

from assay.app.demo.sources import source_of
from assay.app.world.lane_features import lane_features
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

HOUR_US, START_US = 3_600_000_000, 1_767_225_600_000_000
IDS = ("merchant_id", "party_id", "account_id", "instrument_id", "device_id", "ip_id", "counterparty_account_id")


def payments(known_us: int) -> pl.DataFrame:
    """Three payments through one device, an hour apart; the first is a fraud for the bank since `known_us`."""
    return pl.DataFrame(
        {
            "flow_id": ["1", "2", "3"],
            "ts_us": [START_US + hour * HOUR_US for hour in range(3)],
            "amount": pl.Series([1, 2, 3]).cast(pl.Decimal(18, 2)),
            "bank_label": ["BANK_CONFIRMED_FRAUD", None, None],
            "known_us": [known_us, None, None],
            **dict.fromkeys(IDS, "7"),
        }
    )


@pytest.mark.parametrize(("hours", "counts"), [(0.5, [0, 1, 1]), (1.5, [0, 0, 1]), (2.5, [0, 0, 0])])
def test_a_fraud_counts_from_the_time_at_which_the_bank_knew_it(hours: float, counts: list[int]) -> None:
    names, values = lane_features(payments(START_US + int(hours * HOUR_US)))
    assert values[:, names.index("device_fraud_count_30d")].tolist() == counts
    assert values[:, names.index("account_count_1d")].tolist() == [1, 2, 3]


def test_a_demo_of_a_bank_is_resumed_by_its_scale_and_seed() -> None:
    source = source_of(None, "", "handbook", None, 5, "tiny")
    assert (source.mapping, tuple(source.options)) == ("world", ("--world", "tiny", "--seed", "5"))
    with pytest.raises(Stop) as refused:
        source_of(None, "", "handbook", None, 5, "huge")
    assert refused.value.reason is Reason.GENERATOR_REQUEST_INVALID
    assert "tiny, small, medium, full" in refused.value.remedy
