"""The authority in SQLite: the common laws, and its clock."""

from __future__ import annotations

from pathlib import Path

import authority_laws
import pytest
from authority_laws import HOUR_US, LAWS, MINUTE_US, NOW_US, RUN, Law

from assay.app.authority.database import Database
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/sr/index/sr_authority.db"


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Law, address: str) -> None:
    law(address)


def test_time_is_that_of_the_caller(address: str) -> None:
    authority = authority_laws.opened(address)
    lease = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert lease is not None
    assert authority.holds(lease, NOW_US + MINUTE_US - 1)
    assert not authority.holds(lease, NOW_US + MINUTE_US), "a lease of a minute is over after a minute"
    assert authority.acquire(RUN, "b", MINUTE_US, NOW_US - HOUR_US) is None, "a clock that was put back takes no lease"


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("mysql://host/db", Reason.SETTING_INVALID),
        ("postgresql://u:p@host:port/db", Reason.SETTING_INVALID),
        ("postgresql://u:secret-word@127.0.0.1:1/db", Reason.DATABASE_SILENT),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(dsn: str, reason: Reason) -> None:
    with pytest.raises(AssayError) as refused, Database(dsn).work():
        pass
    assert refused.value.reason is reason
    assert "secret-word" not in str(refused.value)
