"""Three roots say what the runtime does next: try again, set the input aside, or stop."""

from __future__ import annotations

from typing import ClassVar

from assay.contracts.exit_codes import AGAIN, BAD_INPUT, BY_REASON, REFUTED, STOPPED
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line


def refusal_fields(code: str, detail: str, where: str, remedy: str) -> dict[str, str]:
    """The one shape in which a caller over HTTP is told of a fault, of a call or of an item."""
    return {"error": code, "detail": detail, "where": where, "remedy": remedy}


class AssayError(Exception):
    """A refusal that names the thing, the place and the remedy.

    `reason` is from the closed set; `what` names the thing and what is wrong with it, `where` the place it was met,
    `remedy` what the reader can do about it. The remedy may have lines of its own, as the end of a log has them; a name within the
    rest begins none.
    """

    #: the exit code of this kind of refusal; see `exit_code`
    kind_code: ClassVar[int] = REFUTED

    def __init__(self, reason: Reason, what: str, *, where: str = "", remedy: str = "") -> None:
        self.reason = reason
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    @property
    def exit_code(self) -> int:
        """The code that a command ends with: that of the reason, else that of the kind of refusal."""
        return BY_REASON.get(self.reason, self.kind_code)

    def __str__(self) -> str:
        text = f"{self.reason.value}: {one_line(self.what)}"
        if self.where:
            text += f" (at {one_line(self.where)})"
        if self.remedy:
            text += f". {self.remedy}"
        return text


class Retry(AssayError):
    """The same call may succeed later; nothing was lost."""

    kind_code = AGAIN


class Quarantine(AssayError):
    """This input is refused and becomes a dead letter; the next input goes on."""

    kind_code = BAD_INPUT


class Stop(AssayError):
    """Going on would break a promise; the process stops before it emits anything."""

    kind_code = STOPPED
