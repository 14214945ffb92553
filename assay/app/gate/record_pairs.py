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
    n, width = len(objects), len(names)
    values = Strings.of([members[name] for members in objects for name in names])
    said = Strings.of(names)
    repeated = Strings(said.data, np.tile(said.starts, n), np.tile(said.lengths, n))
    return Ragged(np.arange(n + 1, dtype=np.int64) * width, {first: repeated, second: values})


def keys_of(entities: Sequence[Mapping[str, str]], event_ids: Sequence[str]) -> list[bytes]:
    """The key of each event; see `contracts.keys.entity_key`."""
    names = _shared_names(entities)
    if not names:
        return [entity_key(named, event_id) for named, event_id in zip(entities, event_ids, strict=True)]
    chosen = next((name for name in ENTITY_PRECEDENCE if name in names), names[0])
    return [named[chosen].encode() for named in entities]


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
