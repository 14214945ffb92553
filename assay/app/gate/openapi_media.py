"""Bodies that are no JSON, as the specification tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

#: media type → how its schema stands in OpenAPI 3.1, where bytes have none
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "application/x-ndjson": {
        "type": "string",
        "description": "one envelope in JSON per line; a line that cannot be read is refused by itself",
    },
    "application/avro": {
        "description": "an object container (Avro 1.12) with the schema that `assay contracts schema EVENT_TYPE` prints; codecs null,"
        " deflate and zstandard; a container that cannot be read is refused as a whole. `avro/binary` is the same",
    },
    "application/vnd.apache.arrow.stream": {
        "description": "an Arrow IPC stream with a column per field of the envelope and the payload as a struct, buffers not compressed;"
        " a stream that cannot be read is refused as a whole",
    },
}


def other_media(media: Iterable[str]) -> dict[str, Any]:
    """Media type → media type object, for each of these."""
    return {name: {"schema": _FORMS[name]} for name in media}
