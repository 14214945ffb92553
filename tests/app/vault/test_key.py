"""A hash of the vault tells nothing without its key, and no two subjects share one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.settings import load_settings
from assay.app.vault.key import VaultKey, key_for, vault_key
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

KEY, OTHER = VaultKey("k" * 32), VaultKey("o" * 32)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@settings(max_examples=drawn(90))
@given(st.tuples(names, st.text(min_size=1)), st.tuples(names, st.text(min_size=1)))
def test_subjects_share_a_hash_only_if_they_are_the_same(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert (KEY.subject_hash(first) == KEY.subject_hash(second)) == (first == second)
    assert KEY.subject_hash(first) != OTHER.subject_hash(first)


def test_an_entity_and_an_id_do_not_run_into_each_other() -> None:
    assert KEY.subject_hash(("car", "d1")) != KEY.subject_hash(("card", "1"))


def test_a_hash_of_one_use_is_none_of_another() -> None:
    body = b"card\0" + b"1"
    assert len({KEY.subject_hash(("card", "1")), KEY.sealed(body), KEY.fingerprint, OTHER.fingerprint, KEY.sealed(b"")}) == 5


def test_the_key_is_shown_nowhere() -> None:
    assert "k" * 32 not in repr(KEY) + str(KEY)


@pytest.mark.parametrize(("secret", "said"), [("", "the vault has no key"), ("k" * 31, "fewer than 32 characters")])
def test_a_run_that_pseudonymises_needs_a_key(monkeypatch: pytest.MonkeyPatch, secret: str, said: str) -> None:
    monkeypatch.setenv("ANOTHER_VARIABLE", secret)
    given = load_settings(vault_key_variable="ANOTHER_VARIABLE")
    asks: tuple[Callable[[], object], ...] = (lambda: vault_key(given), lambda: key_for(("card",), given))
    for ask in asks:
        with pytest.raises(Stop) as refused:
            ask()
        assert (refused.value.reason, refused.value.where) == (Reason.VAULT_KEY_MISSING, "ANOTHER_VARIABLE")
        assert said in refused.value.what
    assert key_for((), given) is None


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IG_VAULT_KEY", "k" * 32)
    assert vault_key(load_settings()).fingerprint == KEY.fingerprint
