"""The fuzzer: damages examples, meets a decoder with each, keeps what ended in a new way, and holds memory to a bound."""

from __future__ import annotations

import hashlib
import re
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz.mutations import damaged, redrawn

from assay.contracts.errors import AssayError

CORPUS_MAX: Final = 3_000
#: address space that one campaign may take beyond what the process has: a length field that is believed breaks it
ROOM_BYTES: Final = 1 << 30
#: memory that may stay held after a campaign: corpus, caches of the interpreter
GROWTH_BYTES_MAX: Final = 96 << 20
PAGE_BYTES: Final = resource.getpagesize()


@dataclass(frozen=True)
class Target:
    """One decoder. `meet` runs it over one input, raises when a law is broken and says in a hashable word how it ended otherwise.

    `text` damages by tokens, `document` also redraws JSON; `repair` puts a checksum right, so that damage gets past it;
    `weight` is how many of a thousand inputs of a campaign it gets; `kernels` says that compiled code reads the bytes.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    meet: Callable[[bytes], Any]
    weight: int
    text: bool = False
    document: bool = False
    kernels: bool = False
    repair: Callable[[bytes], bytes] | None = None


@dataclass
class Campaign:
    """Inputs of one target from one seed: the same seed meets the same inputs."""

    target: Target
    seed: int
    outcomes: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rng = Random(f"{self.seed} {self.target.name}")
        self._corpus = list(self.target.seeds())

    def inputs(self, count: int) -> Iterator[bytes]:
        """The examples as they are, then damage; meet each before the next is asked for. Raises what a broken law raises."""
        for number in range(count):
            fresh = number >= len(self._corpus)
            data = self._damaged() if fresh else self._corpus[number]
            yield data
            outcome = self.target.meet(data)
            if outcome not in self.outcomes:
                self.outcomes.add(outcome)
                if fresh and len(self._corpus) < CORPUS_MAX:
                    self._corpus.append(data)

    def _damaged(self) -> bytes:
        rng, target = self._rng, self.target
        data = rng.choice(self._corpus)
        redraw = target.document and rng.random() < 0.6
        data = redrawn(data, rng) if redraw else damaged(data, self._corpus, rng, text=target.text)
        return target.repair(data) if target.repair is not None and rng.random() < 0.9 else data


def run(target: Target, seed: int, count: int, progress: Callable[[int, bytes], None] = lambda number, data: None) -> Campaign:
    """Meet `count` inputs; `progress` is told of each before it is met.

    Raises what a decoder lets escape, MemoryError included, and AssertionError for a law or for memory that stays held.
    """
    campaign = Campaign(target, seed)
    settled = 0
    with bounded_memory():
        for number, data in enumerate(campaign.inputs(count)):
            progress(number, data)
            if number == count // 4:
                settled = resident_bytes()
    grown = resident_bytes() - settled
    assert grown < GROWTH_BYTES_MAX, f"{grown >> 20} MB stay held after {count} inputs of {target.name}"
    return campaign


@contextmanager
def bounded_memory() -> Iterator[None]:
    """No more address space than now and some room: an allocation by a length from the wire ends in MemoryError. Linux only."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_pages(0) * PAGE_BYTES + ROOM_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the system does not say."""
    return _pages(1) * PAGE_BYTES if sys.platform == "linux" else 0


def refusal(error: AssayError) -> tuple[str, str]:
    """How a refusal ends: its code and the form of its words, numbers and quotations taken out."""
    return error.reason.value, re.sub(r"'[^']*'|\"[^\"]*\"|[0-9a-f]{12,}|-?\d+", "_", error.what)[:80]


def save(folder: Path, target: str, data: bytes) -> Path:
    """Keep an input that broke a law."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.write_bytes(data)
    return path


def _pages(column: int) -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[column])
