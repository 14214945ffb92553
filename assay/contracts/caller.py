"""Who called the gate, as its credentials say: in every receipt and every quarantine record, and never read from a payload."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

SourceType: TypeAlias = Literal["SYSTEM", "HUMAN"]
AuthMode: TypeAlias = Literal["api_key", "service_token", "mtls", "bus"]
#: a name of an actor that people give
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}")


class Caller(NamedTuple):
    """The actor of a call. `principal` is what was shown: the id of a key, the actor of a token, the subject of a certificate."""

    actor_id: str
    source_type: SourceType
    auth_mode: AuthMode
    principal: str


def actor_id(source_type: SourceType, name: str) -> str:
    """How an actor stands in receipts."""
    return f"{source_type}::{name}"


#: whoever holds the key of the run, which names nobody
OF_RUN_KEY: Final = Caller(actor_id("SYSTEM", "run_key"), "SYSTEM", "api_key", "run_key")


#: of an event that was found on the bus: its caller was never answered, and the bus does not name it
BY_THE_BUS: Final = Caller(actor_id("SYSTEM", "gate"), "SYSTEM", "bus", "found on the bus")


def check_actor_name(name: str) -> str:
    """A name that may be given to an actor. Raises Quarantine(ACTOR_NAME_INVALID)."""
    if _NAME.fullmatch(name):
        return name
    what, remedy = f"{name[:80]!r} is no name of an actor", "Take 1 to 64 letters, digits and . _ @ / -, a letter or digit first."
    raise Quarantine(Reason.ACTOR_NAME_INVALID, what, where="--actor", remedy=remedy)
