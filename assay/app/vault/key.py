"""The key of the vault: it turns an id into the hash that finds its token, and a body that may hold ids into a digest that tells nothing.

All three are HMAC-SHA256 (RFC 2104, FIPS 180-4) under the secret; the word in front keeps them apart.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from hashlib import sha256
from typing import Final, TypeAlias

from assay.app.settings import Settings, value_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: (name of an entity, id)
Subject: TypeAlias = tuple[str, str]
#: a shorter secret can be guessed from one hash whose id is known
SECRET_CHARS_MIN: Final = 32


class VaultKey:
    """Hashes under one secret, 32 bytes each. It shows nothing of the secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def subject_hash(self, subject: Subject) -> bytes:
        """What finds the token of an id of an entity."""
        return self._hash(b"subject", "\0".join(subject).encode())

    def sealed(self, body: bytes) -> bytes:
        """A digest of a body by which nobody without the key can try what it held."""
        return self._hash(b"body", body)

    @property
    def fingerprint(self) -> bytes:
        """What tells this key from another one."""
        return self._hash(b"key", b"")

    def _hash(self, use: bytes, said: bytes) -> bytes:
        return hmac.digest(self._secret, use + b"\0" + said, sha256)


def key_for(pseudonymise: Collection[str], settings: Settings) -> VaultKey | None:
    """The key that a run needs whose ids of these entities are replaced; None for none. Raises Stop(VAULT_KEY_MISSING)."""
    return vault_key(settings) if pseudonymise else None


def vault_key(settings: Settings) -> VaultKey:
    """The key that the environment has. Raises Stop(VAULT_KEY_MISSING) for none, or one that is too short."""
    secret = value_of(settings.vault_key_variable)
    if len(secret) < SECRET_CHARS_MIN:
        what = "the run pseudonymises ids, and the vault has no key" if not secret else f"it has fewer than {SECRET_CHARS_MIN} characters"
        remedy = "Set it to the secret of this vault. For a new vault: openssl rand -hex 32. Keep it: without it no id finds its token."
        raise Stop(Reason.VAULT_KEY_MISSING, what, where=settings.vault_key_variable, remedy=remedy)
    return VaultKey(secret)
