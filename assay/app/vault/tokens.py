"""Tokens of subjects for a running gate: one look at the vault for each group of items, whatever is remembered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol, TypeVar

from assay.app.vault import tables
from assay.app.vault.key import Subject, VaultKey
from assay.app.vault.memory import Memory
from assay.app.vault.tables import TOKEN_BYTES, Connection
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

T = TypeVar("T")


class Ask(Protocol):
    """Does work on a connection that comes back by itself. Raises Retry where the server is away; the work may be done twice."""

    def __call__(self, work: Callable[[Connection], T], /) -> T:
        """What the work gives."""


class Vault:
    """One thread's view of the vault."""

    def __init__(self, key: VaultKey, ask: Ask, memory: Memory | None = None) -> None:
        self.key = key
        self._ask, self._memory = ask, Memory() if memory is None else memory
        self._is_known = False

    def check_key(self) -> None:
        """Raises Stop(VAULT_KEY_WRONG) for another key than the first of this vault: every subject would become a new one. Raises Retry."""
        if not self._is_known:
            check_fingerprint(self._ask(partial(tables.first_fingerprint, fingerprint=self.key.fingerprint)), self.key)
            self._is_known = True

    def tokens(self, subjects: Collection[Subject]) -> dict[Subject, str]:
        """The token of each subject, made where there is none. What was erased before this call is not found. Raises as `check_key`."""
        if not subjects:
            return {}
        self.check_key()
        found = self._look(subjects)
        while new := [one for one in subjects if one not in found]:
            self._ask(partial(tables.add, bits={self.key.subject_hash(one): secrets.token_bytes(TOKEN_BYTES) for one in new}))
            found = self._look(subjects)  # another gate may have been first
        self._memory.add(found)
        return found

    def _look(self, subjects: Collection[Subject]) -> dict[Subject, str]:
        while True:
            found = self._memory.of(subjects)
            missing = {self.key.subject_hash(one): one for one in subjects if one not in found}
            erasures, tokens = self._ask(partial(tables.find, hashes=list(missing)))
            if erasures == self._memory.erasures:
                return found | {missing[hashed]: token for hashed, token in tokens.items()}
            self._memory.forget(erasures)


def check_fingerprint(known: bytes | None, key: VaultKey) -> None:
    """Raises Stop(VAULT_KEY_WRONG) where the vault has another key. A vault without one takes any."""
    if known is not None and known != key.fingerprint:
        what = "the vault was begun with another key: no id would find its token, and every subject would be a new one"
        remedy = "Set the variable to the key of this vault. It cannot be changed while the vault holds subjects."
        raise Stop(Reason.VAULT_KEY_WRONG, what, where="ig_vault_key", remedy=remedy)
