"""What every authority store keeps to: laws as functions of an address, which names an empty database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from alembic import command
from sqlalchemy import text

from assay.app.authority import migrate as schema
from assay.app.authority.database import Database
from assay.app.authority.port import Equivalence
from assay.app.authority.store import SqlAuthority, open_authority
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Law = Callable[[str], None]
LAWS: list[Law] = []
RUN, KEY, INTENT = "5" * 32, "a key", "c" * 64
NOW_US, MINUTE_US, HOUR_US = 1_893_456_000_000_000, 60_000_000, 3_600_000_000
WRITERS = 8


def law(function: Law) -> Law:
    """List a law."""
    LAWS.append(function)
    return function


def opened(dsn: str) -> SqlAuthority:
    """The authority of a database that was brought up to date."""
    schema.migrate(dsn)
    return open_authority(dsn)


def let_expire(dsn: str) -> None:
    """Every lease that is held runs out now, by whatever clock judges."""
    with Database(dsn).work() as connection:
        connection.execute(text("UPDATE sr_run_leases SET expires_at = 1"))


def revised(dsn: str, revision: str) -> None:
    """The database says that it is of another revision."""
    with Database(dsn).work() as connection:
        connection.execute(text(f"UPDATE {schema.VERSIONS} SET version_num = '{revision}'"))


def last_asked(dsn: str) -> list[int]:
    """When each key was asked for last."""
    with Database(dsn).work() as connection:
        return [row[0] for row in connection.execute(text("SELECT last_asked_at FROM sr_key_last_asked"))]


@law
def migrating_makes_the_schema_once_and_twice_is_a_no_op(dsn: str) -> None:
    assert schema.migrate(dsn) == ("", schema.newest())
    open_authority(dsn).register(KEY, RUN, INTENT, NOW_US)
    assert schema.migrate(dsn) == (schema.newest(), schema.newest())
    assert [row.run_id for row in open_authority(dsn).rows()] == [RUN]


@law
def migrations_at_once_are_one_after_another(dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: schema.migrate(dsn), range(4)))
    assert sorted(one.before for one in found) == ["", *[schema.newest()] * 3]


@law
def a_serving_process_refuses_an_empty_database_and_changes_nothing(dsn: str) -> None:
    for _ in range(2):
        with pytest.raises(Stop) as refused:
            open_authority(dsn)
        assert refused.value.reason is Reason.DATABASE_NOT_MIGRATED
    assert schema.migrate(dsn).before == ""


@law
def a_newer_database_is_refused_by_migration_and_by_who_serves(dsn: str) -> None:
    schema.migrate(dsn)
    revised(dsn, "9999")
    for act in (schema.migrate, open_authority):
        with pytest.raises(Stop) as refused:
            act(dsn)
        assert refused.value.reason is Reason.DATABASE_TOO_NEW


@law
def a_downgrade_is_refused_and_changes_nothing(dsn: str) -> None:
    authority = opened(dsn)
    authority.register(KEY, RUN, INTENT, NOW_US)
    with Database(dsn).work() as connection:
        settings = schema._config()
        settings.attributes["connection"] = connection
        with pytest.raises(Stop, match="does not go back"):
            command.downgrade(settings, "base")
    assert [row.run_id for row in open_authority(dsn).rows()] == [RUN]


@law
def a_database_of_the_first_revision_keeps_its_registry(dsn: str) -> None:
    with Database(dsn).work() as connection:
        settings = schema._config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        values = f"'{KEY}', '{RUN}', '{INTENT}', {NOW_US}, {NOW_US + HOUR_US}"
        connection.execute(text(f"INSERT INTO sr_run_equivalence VALUES ({values})"))
    authority = opened(dsn)
    assert authority.rows() == [Equivalence(KEY, RUN, INTENT, NOW_US)]
    assert last_asked(dsn) == [NOW_US + HOUR_US]
    assert authority.register(KEY, RUN, INTENT, NOW_US) == (RUN, INTENT, NOW_US, False)


@law
def what_a_key_means_stays_and_when_it_was_asked_for_only_rises(dsn: str) -> None:
    authority = opened(dsn)
    for asked_us, latest_us in ((5, 5), (9, 9), (7, 9)):
        authority.register(KEY, RUN, INTENT, NOW_US + asked_us)
        assert last_asked(dsn) == [NOW_US + latest_us]
    assert authority.rows() == [Equivalence(KEY, RUN, INTENT, NOW_US + 5)]


@law
def a_restore_writes_over_a_registry_that_says_something_else(dsn: str) -> None:
    authority = opened(dsn)
    authority.register(KEY, "6" * 32, "d" * 64, NOW_US)
    authority.restore(Equivalence(KEY, RUN, INTENT, NOW_US - 1), 0)
    assert authority.rows() == [Equivalence(KEY, RUN, INTENT, NOW_US - 1)]


@law
def a_key_means_one_run_for_ever(dsn: str) -> None:
    authority = opened(dsn)
    assert authority.register(KEY, RUN, INTENT, NOW_US) == (RUN, INTENT, NOW_US, True)
    assert authority.register(KEY, RUN, INTENT, NOW_US + HOUR_US) == (RUN, INTENT, NOW_US, False)
    with pytest.raises(Stop) as refused:
        authority.register(KEY, RUN, "d" * 64, NOW_US)
    assert refused.value.reason is Reason.EQUIV_KEY_COLLISION
    assert authority.rows() == [Equivalence(KEY, RUN, INTENT, NOW_US)]


@law
def of_many_that_ask_at_once_one_is_the_first(dsn: str) -> None:
    authority = opened(dsn)
    with ThreadPoolExecutor(WRITERS) as pool:
        found = list(pool.map(lambda _: authority.register(KEY, RUN, INTENT, NOW_US), range(40)))
    assert sum(one.first for one in found) == 1
    assert {one.run_id for one in found} == {RUN}


@law
def a_lease_that_has_not_expired_is_refused_to_everybody(dsn: str) -> None:
    authority = opened(dsn)
    first = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert first is not None
    assert first.fence == 1
    assert authority.acquire(RUN, "b", MINUTE_US, NOW_US) is None
    assert authority.acquire(RUN, "a", MINUTE_US, NOW_US) is None, "even to its own holder"
    assert authority.acquire("6" * 32, "b", MINUTE_US, NOW_US) is not None, "another run is another lease"


@law
def a_lease_that_expired_goes_to_the_next_with_a_higher_fence(dsn: str) -> None:
    authority = opened(dsn)
    first = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert first is not None
    let_expire(dsn)
    assert not authority.holds(first, NOW_US)
    assert not authority.renew(first, MINUTE_US, NOW_US), "an expired lease is not renewed, although nobody else has it"
    second = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert second is not None
    assert (second.fence, second.token == first.token) == (2, False)
    authority.release(first, NOW_US)
    assert authority.holds(second, NOW_US), "a release needs the present token"


@law
def a_release_lets_the_next_in_and_keeps_the_fence(dsn: str) -> None:
    authority = opened(dsn)
    for fence in (1, 2, 3):
        lease = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
        assert lease is not None
        assert lease.fence == fence
        assert authority.renew(lease, MINUTE_US, NOW_US)
        assert authority.holds(lease, NOW_US)
        authority.release(lease, NOW_US)
        assert not authority.holds(lease, NOW_US)
        assert not authority.renew(lease, MINUTE_US, NOW_US)


@law
def of_many_that_want_an_expired_lease_one_gets_it(dsn: str) -> None:
    authority = opened(dsn)
    for fence in (1, 2, 3):
        ready = threading.Barrier(WRITERS)

        def take(number: int, ready: threading.Barrier = ready) -> int:
            ready.wait(30)
            lease = authority.acquire(RUN, f"owner {number}", HOUR_US, NOW_US)
            return lease.fence if lease else 0

        with ThreadPoolExecutor(WRITERS) as pool:
            assert sorted(pool.map(take, range(WRITERS)))[-2:] == [0, fence]
        let_expire(dsn)


@law
def a_registry_is_restored_with_fences_that_go_on(dsn: str) -> None:
    authority = opened(dsn)
    row = Equivalence(KEY, RUN, INTENT, NOW_US)
    for fence in (7, 3):
        authority.restore(row, fence)
    assert authority.rows() == [row]
    lease = authority.acquire(RUN, "a", MINUTE_US, NOW_US)
    assert lease is not None
    assert lease.fence == 8
    with suppress(Stop):
        authority.register(KEY, "other", "e" * 64, NOW_US)
    authority.restore(row, 1)
    assert authority.holds(lease, NOW_US), "a restore takes no lease away"
