"""Characters that no id, name or attribute holds: they change what a terminal, a log line or a C program shows of a text."""

from __future__ import annotations

import re
from typing import Final

#: Unicode's control characters (category Cc), as JSON Schemas spell a text without any
NO_CONTROL: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
#: a text without blanks around it, as JSON Schemas spell it
NO_BLANKS: Final = r"^(\S([\s\S]*\S)?)?$"
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def control_in(text: str) -> str | None:
    """The first control character of a text as `U+0000`, None when it holds none."""
    found = _CONTROL.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"
