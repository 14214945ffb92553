"""The refusals of Kafka access. A command may be tried again; a lane stops, because it must not go on without an answer."""

from __future__ import annotations

from collections.abc import Callable

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidTimestampError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.limits import SERVER_PORTS
from assay.contracts.reasons import Reason

#: answers of a broker, by aiokafka's names, to a user that it does not know, or who has not the right
DENIED = (
    AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError,
    ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError,
)  # fmt: skip
#: (cause, place) → refusal, for readers that serve both a command and a lane
Unreachable = Callable[[str, str], AssayError]

_CHECK = "Check the address, and that the broker runs and may be reached from here."
_START_SERVERS = "The broker of a run that assay started is started again by `assay substrate up --dir RUN`; --run RUN finds its password."


def unreachable(cause: str, where: str) -> Retry:
    """A broker does not answer a command."""
    return Retry(
        Reason.BROKER_UNREACHABLE, f"Kafka does not answer: {cause}", where=where, remedy=_START_SERVERS if _is_ours(where) else _CHECK
    )


def user_refused(user: str, cause: str, where: str) -> Stop:
    """A broker does not know the name or password of a client (empty: it gives none), or its user has not the right."""
    return Stop(
        Reason.BUS_USER_REFUSED,
        f"Kafka refuses {f'the user {user!r}' if user else 'this client'}: {cause}",
        where=where,
        remedy="Passwords of a run that assay started are in its servers/kafka/users and go with --run; if another Kafka has its port, "
        "`assay substrate up --dir RUN`. For your own Kafka, correct the file of ASSAY_BUS_PROPERTIES, or the rights of its user.",
    )


def _is_ours(bootstrap: str) -> bool:
    """Whether an address is one that assay gives to the servers that it starts."""
    host, _, port = bootstrap.rpartition(":")
    return host == "127.0.0.1" and port.isdigit() and int(port) in SERVER_PORTS


def lane_unreachable(cause: str, where: str) -> Stop:
    """A broker does not answer a lane that starts."""
    return Stop(
        Reason.BROKER_UNREACHABLE,
        f"the lane cannot start: Kafka does not answer: {cause}",
        where=where,
        remedy="Nothing was changed. Start the worker again once the broker answers; the lane reads its journal from where it can.",
    )


def clock_ahead(where: str) -> Stop:
    """The broker refuses records because their time is too far from its own."""
    return Stop(
        Reason.CLOCK_AHEAD,
        "the clock of this machine and that of the broker are too far apart: the broker refuses the time of a record, "
        "by default one that is more than an hour ahead of its own",
        where=where,
        remedy="Set both clocks right (NTP; `timedatectl` shows it), then start this again. Nothing was written with the wrong time.",
    )


def not_written(cause: str, where: str, *, time_refused: bool = False) -> Stop:
    """The broker has not acknowledged the records of a command. `time_refused`: because of their time."""
    if time_refused:
        return clock_ahead(where)
    return Stop(
        Reason.PRODUCE_FAILED,
        f"records may not be written: {cause}",
        where=where,
        remedy="See that the broker runs and the topic exists, then run the same command again; ids make repeats harmless.",
    )


def lane_not_written(error: BaseException, where: str) -> Stop:
    """The broker has not acknowledged a record of a lane."""
    if isinstance(error, InvalidTimestampError):
        return clock_ahead(where)
    if isinstance(error, DENIED):
        return user_refused("", cause_of(error), where)
    return Stop(
        Reason.PRODUCE_FAILED,
        f"a record may not be written: {cause_of(error)}",
        where=where,
        remedy="The lane stops before it emits more; start the worker again once the broker answers.",
    )


def topic_unknown(what: str, where: str) -> Stop:
    """The broker does not have a topic or partition."""
    return Stop(Reason.TOPIC_UNKNOWN, what, where=where, remedy="Check --namespace, or create the topics with `assay topic create`.")


def input_recreated(what: str, where: str) -> Stop:
    """An input topic is not the one the run began with."""
    return Stop(
        Reason.INPUT_OFFSET_LOST,
        f"an input was made anew: {what}",
        where=where,
        remedy="The journal refers to records that are gone: restore the topic or start a new run.",
    )


def cause_of(error: BaseException) -> str:
    """The kind and text of an error, for a message."""
    return f"{type(error).__name__}: {error}"
