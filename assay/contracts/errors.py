"""Three roots say what the runtime does next: try again, set the input aside, or stop."""

from __future__ import annotations

from assay.contracts.reasons import Reason


class AssayError(Exception):
    """A refusal that names the thing, the place and the remedy.

    `reason` is from the closed set; `what` names the thing and what is wrong with it, `where` the place it was met,
    `remedy` what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, reason: Reason, what: str, *, where: str = "", remedy: str = "") -> None:
        self.reason = reason
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.reason.value}: {self.what}"
        if self.where:
            text += f" (at {self.where})"
        if self.remedy:
            text += f". {self.remedy}"
        return text


class Retry(AssayError):
    """The same call may succeed later; nothing was lost."""

    exit_code = 75


class Quarantine(AssayError):
    """This input is refused and becomes a dead letter; the next input goes on."""

    exit_code = 65


class Stop(AssayError):
    """Going on would break a promise; the process stops before it emits anything."""

    exit_code = 70
