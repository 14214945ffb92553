"""Bodies that come packed: gzip and deflate are unpacked up to the limit of a body, anything else is refused."""

from __future__ import annotations

import zlib
from typing import Final

from assay.contracts.errors import Quarantine
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

WHERE: Final = "Content-Encoding"
#: coding → window bits of zlib; 16 more for the header of gzip
_CODINGS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def unpacked(body: bytes, coding: str, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body as it was before it was packed. `coding` is the header's value, empty for none.

    Raises Quarantine(CODING_UNSUPPORTED | BODY_INVALID | BODY_OVER_LIMIT).
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _CODINGS:
        what, remedy = f"the body is packed by {coding!r}", "Send it as it is, or packed by gzip or deflate."
        raise Quarantine(Reason.CODING_UNSUPPORTED, what, where=WHERE, remedy=remedy)
    reader = zlib.decompressobj(_CODINGS[name])
    try:
        found = reader.decompress(body, bytes_max + 1)
    except zlib.error as error:
        what = f"the body is not packed by {name}, as its headers say: {error}"
        raise Quarantine(Reason.BODY_INVALID, what, where=WHERE, remedy="Nothing was taken; correct the call.") from None
    if len(found) > bytes_max:
        raise Quarantine(Reason.BODY_OVER_LIMIT, f"the body is over {bytes_max} bytes when it is unpacked", remedy="Send smaller batches.")
    if not reader.eof or reader.unused_data:
        what = f"the packed body {'goes on behind its end' if reader.eof else 'ends too early'}"
        raise Quarantine(Reason.BODY_INVALID, what, where=WHERE, remedy="Nothing was taken; correct the call.")
    return found
