"""Receipt lines of many admitted events, put together by large calls: a line is what its shape shares, and five parts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Final, NamedTuple

import numpy as np

from assay.app.gate.admission import Admissible
from assay.app.gate.receipts import ADMIT, DUPLICATE, LineShape, ReceiptWriter, shape_of
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.codecs.columns import I64, Strings, concat
from assay.codecs.digests import sha256_rows
from assay.contracts.ids import RECEIPT_ID_CHARS

#: fewer lines are written one by one: the large calls cost more than that
FEW: Final = 24
_HASH_CHARS: Final = 64


class Placed(NamedTuple):
    """An event that is on the bus, by this call (ADMIT) or an earlier one (DUPLICATE)."""

    item: Admissible
    verdict: Verdict
    place: RecordMetadata
    actor: str


class Lines(NamedTuple):
    """Whole lines, each with its end."""

    data: bytes
    lines: int

    def and_texts(self, texts: Sequence[str]) -> Lines:
        """These, and further lines behind them."""
        return Lines(self.data + "".join([f"{text}\n" for text in texts]).encode(), self.lines + len(texts))


NO_LINES: Final = Lines(b"", 0)


def lines_of(writer: ReceiptWriter, placed: Sequence[Placed], at: str) -> tuple[list[str], Lines]:
    """The receipt id of each event, and their lines in the same order, byte for byte as `ReceiptWriter.admitted` writes them."""
    if len(placed) < FEW:
        made = [writer.admitted(*one[:3], at, one.actor) for one in placed]
        return [receipt for receipt, _ in made], NO_LINES.and_texts([line for _, line in made])
    names = [one.item.envelope.event_id for one in placed]
    events, numbers, shapes = Strings.of(names), *_shapes(placed)
    receipts = _receipts(events, np.array([shape.decision == DUPLICATE for shape in shapes])[numbers])
    own = [
        _fixed(receipts, RECEIPT_ID_CHARS),
        Strings.of([quoted(name) for name in names]),
        Strings.of([one.item.envelope.ts_utc for one in placed]),
        _fixed(b"".join([one.item.payload_hash for one in placed]).hex(), _HASH_CHARS),
        Strings.of([str(one.place.offset) for one in placed]),
    ]
    around = [Strings.of(texts).take(numbers) for texts in zip(*(writer.around(shape, at) for shape in shapes), strict=True)]
    ends = Strings.repeat(b"\n", len(placed))
    parts = [around[0], *(part for pair in zip(own, around[1:], strict=True) for part in pair), ends]
    ids = [receipts[start : start + RECEIPT_ID_CHARS] for start in range(0, len(receipts), RECEIPT_ID_CHARS)]
    return ids, Lines(_in_turn(parts).data.tobytes(), len(placed))


def _shapes(placed: Sequence[Placed]) -> tuple[I64, list[LineShape]]:
    """The number of each event's shape, and the shapes."""
    found: dict[LineShape, int] = {}
    numbers = [found.setdefault(shape_of(*one), len(found)) for one in placed]
    return np.array(numbers, np.int64), list(found)


def _receipts(events: Strings, duplicate: np.ndarray) -> str:
    """The ids of all receipts, one after another; see `contracts.ids.receipt_id`."""
    digests = sha256_rows(f"{ADMIT}:".encode(), *events)
    if duplicate.any():
        digests = np.where(duplicate[:, None], sha256_rows(f"{DUPLICATE}:".encode(), *events), digests)
    return digests[:, : RECEIPT_ID_CHARS // 2].tobytes().hex()


def _fixed(texts: str, width: int) -> Strings:
    """Texts of one width, cut from a long one."""
    n = len(texts) // width
    return Strings(np.frombuffer(texts.encode(), np.uint8), np.arange(n, dtype=np.int64) * width, np.full(n, width, np.int32))


def _in_turn(parts: Sequence[Strings]) -> Strings:
    """The first row of every part, then the second of every part, and so on; the parts have the same number of rows."""
    whole = concat([{"part": part} for part in parts])["part"]
    assert isinstance(whole, Strings)
    n = len(parts[0].lengths)
    return whole.take(np.arange(len(parts) * n).reshape(len(parts), n).T.reshape(-1)).compact()
