"""The authority in PostgreSQL: the common laws, and the clock of the database in place of the caller's."""

from __future__ import annotations

import authority_laws
import pytest
from authority_laws import HOUR_US, LAWS, MINUTE_US, NOW_US, RUN, Law
from sqlalchemy import text

from assay.app.authority.database import Database
from assay.contracts.errors import Retry


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Law, dsn: str) -> None:
    law(dsn)


@pytest.mark.long
def test_a_process_that_sleeps_while_it_takes_a_lease_keeps_the_next_one_waiting_for_a_minute_at_most(dsn: str) -> None:
    authority = authority_laws.opened(dsn)
    first = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert first is not None
    authority.release(first, NOW_US)

    def sleep_while_the_next_one_takes_it() -> None:
        with Database(dsn).work() as asleep:
            asleep.execute(text("SELECT * FROM sr_run_leases FOR UPDATE"))
            lease = authority.acquire(RUN, "b", MINUTE_US, NOW_US)  # it waits for the lock, and the server ends the transaction above
            assert lease is not None
            assert lease.fence == 2
            asleep.execute(text("UPDATE sr_run_leases SET fence = 1"))

    with pytest.raises(Retry, match="idle-in-transaction"):
        sleep_while_the_next_one_takes_it()


@pytest.mark.parametrize("off_us", [-HOUR_US, HOUR_US])
def test_a_caller_whose_clock_is_an_hour_off_takes_no_lease_that_is_held_and_loses_none(dsn: str, off_us: int) -> None:
    authority = authority_laws.opened(dsn)
    lease = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert lease is not None
    assert authority.acquire(RUN, "b", MINUTE_US, NOW_US + off_us) is None
    assert authority.holds(lease, NOW_US + off_us)
    assert authority.renew(lease, MINUTE_US, NOW_US + off_us)
