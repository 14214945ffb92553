"""A feature document as plan arrays: where every number of a key's state lies and which number each feature reads.

State of a key is one line of int64 words: a header (latest payment time, payments), then per ring its current bucket, the
bitmap of buckets that hold something, the running totals of its windows and its cells. A ring is shared by all windows of
one entity with one resolution. A cell and a running total hold the same fields:
count, sum and, where asked for, the two limbs of the sum of squares, frauds, and distinct members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from assay.codecs.columns import I64
from assay.codecs.kernel import frozen
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop
from assay.contracts.instants import duration_text
from assay.contracts.reasons import Reason
from assay.tables.feature_document import FRAUD_OPS, WINDOW_OPS, Feature, FeatureDocument, parse_document

#: words of a line's header
LAST_TS, EVENTS, HEADER_WORDS = 0, 1, 2
#: fields every cell has
COUNT, SUM = 0, 1
#: columns of `EntityPlan.rings`; SQUARES and FRAUDS are field numbers or -1; TOTAL is the running total of the whole ring
SHAPE, BUCKETS, CURRENT, BITMAP, CELLS, FIELDS, SQUARES, FRAUDS, RESOLUTION, TOTAL = range(10)
#: the rows of the other plan arrays that belong to a ring; reads before READ_MIDDLE happen before the payment is added
WINDOW_FROM, WINDOW_TO, DISTINCT_FROM, DISTINCT_TO, READ_FROM, READ_MIDDLE, READ_TO = range(10, 17)
RING_COLUMNS: Final = 17
#: columns of `EntityPlan.windows`: delay and length in buckets, first word of the running total
DELAY, LENGTH, RUNNING = 0, 1, 2
#: columns of `EntityPlan.distincts`: field number, column of the matrix of previous payment times
FIELD, PREVIOUS = 0, 1
#: columns of `EntityPlan.reads`: what to do, first word, second word, column of the output; of `since`: output, divisor
READ_OP, WORD, OTHER, OUTPUT, DIVISOR = 0, 1, 2, 3, 0
#: values of READ_OP
READ_LONG, READ_RATIO, READ_ZSCORE = 0, 1, 2


@dataclass(frozen=True)
class EntityPlan:
    """Plan arrays of one entity; their columns are named above."""

    name: str
    width: int
    rings: I64
    windows: I64
    distincts: I64
    reads: I64
    since: I64
    #: other entity of each column of previous payment times, and how long a pair must be remembered
    pair_entities: tuple[str, ...]
    pair_rings: tuple[tuple[int, ...], ...]
    #: changelog name and words (count, sum, frauds or -1) of each window
    window_names: tuple[str, ...]
    window_words: I64


@dataclass(frozen=True)
class FeaturePlan:
    """A compiled document. `shapes` is int64 (q, 2): resolution_us and ring length of each distinct ring shape."""

    document: FeatureDocument
    entity_plans: tuple[EntityPlan, ...]
    shapes: I64
    #: entities that are only named by `distinct`, or by nothing, still have ids
    _columns: Mapping[str, tuple[str, int]] = field(repr=False)

    @property
    def feature_set(self) -> str:
        return self.document.feature_set

    @property
    def revision(self) -> str:
        return self.document.revision

    @property
    def digest(self) -> bytes:
        return self.document.digest

    @property
    def entities(self) -> tuple[str, ...]:
        return self.document.entities

    @property
    def currencies(self) -> tuple[str, ...]:
        """The codes that payments may be in, as the document lists them; none for all."""
        return self.document.currencies or ()

    @property
    def idle_us(self) -> int:
        return self.document.idle_us

    @property
    def long_names(self) -> tuple[str, ...]:
        return self.document.long_names

    @property
    def double_names(self) -> tuple[str, ...]:
        return self.document.double_names

    def column(self, name: str) -> tuple[str, int]:
        """("long" | "double", index) of a feature; KeyError for a name the document does not have."""
        return self._columns[name]

    def check_state(self, state: TableState) -> None:
        """Raises Stop(STATE_OF_ANOTHER_PLAN) for the state of a table that was folded under another document."""
        if (written := state.header.get("plan")) != self.digest.hex():
            raise Stop(
                Reason.STATE_OF_ANOTHER_PLAN,
                f"{state.header.get('table')} state was written under plan {written}, this one is {self.digest.hex()}",
                remedy="Start with the feature document the state belongs to, or rebuild the state from the journal.",
            )


def compile_plan(document: Mapping[str, Any]) -> FeaturePlan:
    """Compile a document. Raises Stop(FEATURE_DOCUMENT_INVALID) naming the feature and the field."""
    parsed = parse_document(document)
    columns = {name: ("long", i) for i, name in enumerate(parsed.long_names)}
    columns |= {name: ("double", i) for i, name in enumerate(parsed.double_names)}
    shapes: dict[tuple[int, int], int] = {}
    plans = tuple(_Layout(entity, parsed, columns, shapes).plan() for entity in parsed.entities)
    shape_rows = np.array(list(shapes), np.int64).reshape(-1, 2)
    return FeaturePlan(parsed, plans, frozen(shape_rows, np.int64), columns)


class _Layout:
    """Lays out one entity: rings, then the running totals of their windows, then cells."""

    def __init__(
        self, entity: str, document: FeatureDocument, columns: Mapping[str, tuple[str, int]], shapes: dict[tuple[int, int], int]
    ) -> None:
        self.entity = entity
        self.columns = columns
        self.shapes = shapes
        self.features = [f for f in document.features if f.entity == entity]
        self.windowed = [f for f in self.features if f.op in WINDOW_OPS]
        self.pairs = tuple(dict.fromkeys(f.of for f in self.windowed if f.of))
        self.rings: list[list[int]] = []
        self.windows: list[list[int]] = []
        self.distincts: list[list[int]] = []
        self.reads: list[list[int]] = []
        self.names: list[str] = []
        self.words: list[list[int]] = []
        #: (resolution, delay, window) → first word of its running total; (resolution, of) → field number
        self.running: dict[tuple[int, int, int], int] = {}
        self.fields: dict[tuple[int, str], int] = {}
        self.next_word = HEADER_WORDS

    def plan(self) -> EntityPlan:
        """The plan arrays of this entity."""
        resolutions = list(dict.fromkeys(f.resolution_us for f in self.windowed))
        for resolution in resolutions:
            self._ring(resolution, [f for f in self.windowed if f.resolution_us == resolution])
        since = [[f.unit_us, 0, 0, self.columns[f.name][1]] for f in self.features if f.op == "since_last"]
        rings_of = tuple(tuple(r for r, res in enumerate(resolutions) if (res, of) in self.fields) for of in self.pairs)
        return EntityPlan(
            name=self.entity,
            width=self.next_word,
            rings=_table(self.rings, RING_COLUMNS),
            windows=_table(self.windows, 3),
            distincts=_table(self.distincts, 2),
            reads=_table(self.reads, 4),
            since=_table(since, 4),
            pair_entities=self.pairs,
            pair_rings=rings_of,
            window_names=tuple(self.names),
            window_words=_table(self.words, 3),
        )

    def _take(self, words: int) -> int:
        first, self.next_word = self.next_word, self.next_word + words
        return first

    def _ring(self, resolution: int, features: list[Feature]) -> None:
        buckets = max(f.window_buckets + f.delay_buckets for f in features)
        fields = 2
        squares = frauds = -1
        if any(f.op == "zscore" for f in features):
            squares, fields = fields, fields + 2
        if any(f.op in FRAUD_OPS for f in features):
            frauds, fields = fields, fields + 1
        distinct_from = len(self.distincts)
        for of in dict.fromkeys(f.of for f in features if f.of):
            self.fields[resolution, of] = fields
            self.distincts.append([fields, self.pairs.index(of)])
            fields += 1
        shape = self.shapes.setdefault((resolution, buckets), len(self.shapes))
        current, bitmap = self._take(1), self._take((buckets + 63) // 64)
        window_from = len(self.windows)
        spans = dict.fromkeys((f.delay_buckets, f.window_buckets) for f in features)
        for delay, length in spans:
            self._window(resolution, delay, length, self._take(fields), frauds)
        total = self.running.get((resolution, 0, buckets))
        if total is None:
            total = self._take(fields)
            self.windows.append([0, buckets, total])
        cells = self._take(buckets * fields)
        ring = [shape, buckets, current, bitmap, cells, fields, squares, frauds, resolution, total]
        read_from = len(self.reads)
        self.reads += [self._read(f, squares, frauds) for f in features if not f.include_current]
        read_middle = len(self.reads)
        self.reads += [self._read(f, squares, frauds) for f in features if f.include_current]
        parts = [window_from, len(self.windows), distinct_from, len(self.distincts), read_from, read_middle, len(self.reads)]
        self.rings.append([*ring, *parts])

    def _window(self, resolution: int, delay: int, length: int, running: int, frauds: int) -> None:
        self.running[resolution, delay, length] = running
        self.windows.append([delay, length, running])
        name = f"{duration_text(length * resolution)}/{duration_text(resolution)}"
        self.names.append(name + (f"+{duration_text(delay * resolution)}" if delay else ""))
        self.words.append([running + COUNT, running + SUM, running + frauds if frauds >= 0 else -1])

    def _read(self, feature: Feature, squares: int, frauds: int) -> list[int]:
        """One row of `reads`."""
        output = self.columns[feature.name][1]
        first = self.running[feature.resolution_us, feature.delay_buckets, feature.window_buckets]
        if feature.op == "zscore":
            return [READ_ZSCORE, first, first + squares, output]
        if feature.op == "mean":
            return [READ_RATIO, first + SUM, first + COUNT, output]
        if feature.op == "fraud_rate":
            return [READ_RATIO, first + frauds, first + COUNT, output]
        words = {"count": COUNT, "sum": SUM, "fraud_count": frauds}
        field_number = self.fields[feature.resolution_us, feature.of] if feature.of else words[feature.op]
        return [READ_LONG, first + field_number, 0, output]


def _table(rows: list[list[int]], width: int) -> I64:
    return frozen(np.array(rows, np.int64).reshape(-1, width), np.int64)
