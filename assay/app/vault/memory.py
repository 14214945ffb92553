"""Tokens that a process remembers: bounded, and forgotten as a whole when anything was erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from assay.app.vault.key import Subject

#: subjects that are remembered, near 30 MB
REMEMBERED: Final = 100_000


class Memory:
    """Subject → token as of a number of erasures. Two generations: what was not asked for while one filled up goes with the older."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.erasures = 0
        self._half = max(1, remembered // 2)
        self._young: dict[Subject, str] = {}
        self._old: dict[Subject, str] = {}

    def of(self, subjects: Iterable[Subject]) -> dict[Subject, str]:
        """The tokens of those that are remembered."""
        young, old = self._young, self._old
        return {one: token for one in subjects if (token := young.get(one) or old.get(one)) is not None}

    def add(self, tokens: Mapping[Subject, str]) -> None:
        """Remember, at the cost of what was not asked for in long."""
        for subject, token in tokens.items():
            if subject not in self._young and len(self._young) >= self._half:
                self._old, self._young = self._young, {}
            self._young[subject] = token

    def forget(self, erasures: int) -> None:
        """Forget everything: what comes is as of this many erasures."""
        self.erasures, self._young, self._old = erasures, {}, {}

    def __len__(self) -> int:
        return len({*self._young, *self._old})
