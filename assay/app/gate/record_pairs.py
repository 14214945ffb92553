"""Names with their values as lists of the bus, and the key that follows from them.

The events of one call mostly have the same names. Then names are sorted once, and values are taken name by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assay.codecs.columns import Ragged, Strings
from assay.contracts.keys import ENTITY_PRECEDENCE, entity_key


def pairs_of(objects: Sequence[Mapping[str, str]], first: str, second: str) -> Ragged:
    """Each object as a list of its members sorted by name; `first` and `second` are the columns of names and of values."""
    names = _shared_names(objects)
    if names is None:
        return _each(objects, first, second)
    return _rows_of(names, [members[name] for members in objects for name in names], len(objects), first, second)


def pairs_of_columns(members: Mapping[str, Sequence[str]], n: int, first: str, second: str) -> Ragged:
    """The same of n objects that came as a column for each name."""
    names, values = sorted(members), [""] * (n * len(members))
    for at, name in enumerate(names):
        values[at :: len(names)] = members[name]
    return _rows_of(names, values, n, first, second)


def keys_of(entities: Sequence[Mapping[str, str]], event_ids: Sequence[str]) -> list[bytes]:
    """The key of each event; see `contracts.keys.entity_key`."""
    names = _shared_names(entities)
    if not names:
        return [entity_key(named, event_id) for named, event_id in zip(entities, event_ids, strict=True)]
    chosen = _chosen(names)
    return [named[chosen].encode() for named in entities]


def keys_of_columns(entities: Mapping[str, Sequence[str]], event_ids: Sequence[str]) -> list[bytes]:
    """The same of events whose entities came as a column for each name."""
    ids = entities[_chosen(sorted(entities))] if entities else event_ids
    return [one.encode() for one in ids]


def _chosen(names: Sequence[str]) -> str:
    return next((name for name in ENTITY_PRECEDENCE if name in names), names[0])


def _rows_of(names: Sequence[str], values: Sequence[str], n: int, first: str, second: str) -> Ragged:
    """n lists of the same names; `values` are those of one list after another."""
    said = Strings.of(names)
    repeated = Strings(said.data, np.tile(said.starts, n), np.tile(said.lengths, n))
    return Ragged(np.arange(n + 1, dtype=np.int64) * len(names), {first: repeated, second: Strings.of(values)})


def _shared_names(objects: Sequence[Mapping[str, str]]) -> list[str] | None:
    """The names that all objects have, sorted; None where they differ."""
    names = objects[0].keys()
    for members in objects:
        if members.keys() != names:
            return None
    return sorted(names)


def _each(objects: Sequence[Mapping[str, str]], first: str, second: str) -> Ragged:
    lists = [sorted(members.items()) for members in objects]
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(pairs) for pairs in lists], out=offsets[1:])
    flat = [pair for pairs in lists for pair in pairs]
    return Ragged(offsets, {first: Strings.of([a for a, _ in flat]), second: Strings.of([b for _, b in flat])})
