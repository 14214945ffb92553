"""The vault in a real PostgreSQL: one token for each subject, whoever asks; an erased subject is a new one for a gate that runs, too."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.app.gate.index import AdmissionIndex
from assay.app.vault import operating
from assay.app.vault import tables as tables_of_vault
from assay.app.vault.key import Subject, VaultKey
from assay.app.vault.memory import Memory
from assay.app.vault.tables import PREFIX
from assay.app.vault.tokens import Vault
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

KEY = VaultKey("k" * 32)
CARD, SAME_ID = ("card", "4711"), ("customer", "4711")


def vault(dsn: str, key: VaultKey = KEY, remembered: int = 100) -> Vault:
    """That of one gate."""
    return Vault(key, AdmissionIndex(dsn, durable=False).ask, Memory(remembered))


def tables(dsn: str) -> str:
    """All that the vault's tables hold, as text."""
    with psycopg.connect(dsn) as connection:
        names = ("ig_vault", "ig_vault_key", "ig_vault_erasures")
        return str([connection.execute(f"SELECT * FROM {name}").fetchall() for name in names])


def test_an_id_has_one_token_and_the_same_id_of_another_entity_another(dsn: str) -> None:
    first = vault(dsn).tokens([CARD, SAME_ID])
    assert first[CARD] != first[SAME_ID]
    assert vault(dsn).tokens([SAME_ID, CARD]) == first, "another gate, or the same after a restart"
    assert all(token.startswith(PREFIX) and len(token) == len(PREFIX) + 32 for token in first.values())


def test_the_vault_holds_no_id(dsn: str) -> None:
    asked = vault(dsn)
    asked.tokens([("card", "plain-to-see")])
    operating.erase(dsn, KEY, [("card", "plain-to-see")])
    assert "plain-to-see" not in tables(dsn)


@settings(max_examples=drawn(24), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=8, unique=True), min_size=2, max_size=4), st.integers(1, 30))
def test_gates_that_ask_at_once_agree(dsn: str, calls: list[list[int]], remembered: int) -> None:
    found: list[dict[Subject, str]] = []
    barrier = threading.Barrier(len(calls))
    vaults = [vault(dsn, remembered=remembered) for _ in calls]

    def ask(one: Vault, numbers: Sequence[int]) -> None:
        barrier.wait()
        found.append(one.tokens([("card", f"{id(calls)}-{number}") for number in numbers]))

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(vaults, calls, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(calls)
    agreed: dict[Subject, str] = {}
    for tokens in found:
        assert all(agreed.setdefault(subject, token) == token for subject, token in tokens.items())
    assert len(set(agreed.values())) == len(agreed)


def test_a_gate_that_runs_sees_an_erasure_with_the_next_group(dsn: str) -> None:
    gate, other = vault(dsn), vault(dsn)
    before = gate.tokens([CARD, SAME_ID])
    assert other.tokens([CARD]) == {CARD: before[CARD]}
    (told,) = operating.erase(dsn, KEY, [CARD])
    assert (told.state, told.erased_now, told.token) == ("ERASED", True, None)
    after = gate.tokens([CARD, SAME_ID])
    assert after[CARD] != before[CARD], "a new subject"
    assert after[SAME_ID] == before[SAME_ID], "nobody else is touched"
    assert other.tokens([CARD]) == {CARD: after[CARD]}


def test_erasing_again_changes_nothing_and_keeps_the_record(dsn: str) -> None:
    vault(dsn).tokens([CARD])
    (first,) = operating.erase(dsn, KEY, [CARD])
    (again,) = operating.erase(dsn, KEY, [CARD])
    assert (again.state, again.erased_now, again.erased_at) == ("ERASED", False, first.erased_at)
    assert operating.look_up(dsn, KEY, [CARD]) == [again]
    (unknown,) = operating.erase(dsn, KEY, [("card", "4712")])
    assert (unknown.state, unknown.erased_at) == ("UNKNOWN", None)


def test_a_subject_that_came_again_can_be_erased_again(dsn: str) -> None:
    gate = vault(dsn)
    tokens = set()
    for _ in range(3):
        tokens |= set(gate.tokens([CARD]).values())
        assert operating.erase(dsn, KEY, [CARD])[0].erased_now
    gate.tokens([CARD])
    (held,) = operating.look_up(dsn, KEY, [CARD])
    assert (held.state, held.erased_at is not None, len(tokens | {held.token})) == ("HELD", True, 4)


def test_erasures_at_once_are_all_seen_by_a_gate(dsn: str) -> None:
    """Numbers rise in the order of commits: none can come in below the last that a gate has seen."""
    gate, subjects = vault(dsn), [("card", str(number)) for number in range(24)]
    before = gate.tokens(subjects)
    threads = [threading.Thread(target=operating.erase, args=(dsn, KEY, [one])) for one in subjects]
    for thread in threads:
        thread.start()
        gate.tokens(subjects[:1])
    for thread in threads:
        thread.join()
    after = gate.tokens(subjects)
    assert [one for one in subjects[1:] if after[one] == before[one]] == []
    with psycopg.connect(dsn) as connection:
        numbers = [row[0] for row in connection.execute("SELECT number FROM ig_vault_erasures ORDER BY number")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_call_looks_at_the_vault_once_whatever_it_remembers(dsn: str) -> None:
    index, looks = AdmissionIndex(dsn), []

    def counted(work: Any) -> Any:
        looks.append(work)
        return index.ask(work)

    asked, subjects = Vault(KEY, counted, Memory(100)), [("card", str(number)) for number in range(40)]
    asked.tokens(subjects)
    assert len(looks) == 4, "the key, a look, what is new, a look again"
    for known in (subjects, subjects[:1]):
        looks.clear()
        asked.tokens(known)
        assert len(looks) == 1
    looks.clear()
    assert (asked.tokens([]), looks) == ({}, [])


def test_a_token_is_on_disk_before_it_is_told_also_where_claims_are_not(dsn: str) -> None:
    """The log's end is flushed right behind a commit that waits for the disk; behind one that does not it lies ahead for a while."""
    query = "SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()"
    vault(dsn).check_key()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        flushed = []
        for number in range(20):
            tables_of_vault.add(connection, {bytes([number]) * 32: b"b" * 16})
            flushed.append(connection.execute(query).fetchone())
    assert flushed.count((True,)) >= 15, "another session may have written since"


def test_more_subjects_than_are_remembered_have_their_tokens_all_the_same(dsn: str) -> None:
    subjects = [("card", str(number)) for number in range(30)]
    asked = vault(dsn, remembered=4)
    first = asked.tokens(subjects)
    assert len(set(first.values())) == 30
    assert asked.tokens(subjects) == first


def test_another_key_is_refused_by_gate_and_command(dsn: str) -> None:
    vault(dsn).check_key()
    other = VaultKey("o" * 32)
    for ask in (vault(dsn, other).check_key, lambda: vault(dsn, other).tokens([CARD]), lambda: operating.erase(dsn, other, [CARD])):
        with pytest.raises(Stop) as refused:
            ask()
        assert refused.value.reason is Reason.VAULT_KEY_WRONG
    vault(dsn).check_key()


def test_a_server_that_is_away_is_told_as_one() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    with pytest.raises(Retry) as gate:
        vault(nowhere).tokens([CARD])
    assert gate.value.reason is Reason.INDEX_UNAVAILABLE
    with pytest.raises(Retry) as command:
        operating.look_up(nowhere, KEY, [CARD])
    assert command.value.reason is Reason.DATABASE_SILENT


def test_a_database_without_a_vault_is_told_as_one(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS ig_vault_key")
    with pytest.raises(Stop) as refused:
        operating.erase(dsn, KEY, [CARD])
    assert refused.value.reason is Reason.DATABASE_NOT_MIGRATED
