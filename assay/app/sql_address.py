"""A PostgreSQL address as people may see it: without its password, also where a server's message quotes a part of the address."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: greedy: a password may hold an @ that nobody has escaped
_IN_AUTHORITY = re.compile(r"(?<=//)([^:/?]*):(.*)(?=@)")
_IN_QUERY = re.compile(r"(?<=[?&])((?:ssl)?password)=([^&]*)")
HIDDEN = "…"
#: shorter pieces of a password occur in any text
_PIECE_CHARS_MIN = 3


def shown(address: str) -> str:
    """The address with its password left out."""
    return _IN_QUERY.sub(rf"\1={HIDDEN}", _IN_AUTHORITY.sub(rf"\1:{HIDDEN}", address))


def told(error: Exception, address: str) -> str:
    """The first line of an error about this address, without its password or a piece of it; the kind of an error without a text."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    pieces = _pieces(address)
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= _PIECE_CHARS_MIN:
            text = text.replace(piece, HIDDEN)
    return text


def _pieces(address: str) -> set[str]:
    """The passwords of an address as they are written and meant, and what a reader that splits them at @, : or % would quote."""
    whole = [found[2] for pattern in (_IN_AUTHORITY, _IN_QUERY) for found in pattern.finditer(address)]
    both = {text for given in whole for text in (given, unquote(given))}
    return both | {piece for text in both for piece in re.split("[@:%/?]", text) if piece}
