"""Kafka's answer to a client whose name or password it does not know, or whose user has not the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError

from assay.app.bus.errors import user_refused
from assay.contracts.errors import Stop

#: errors of confluent-kafka that are such answers
_NAMES: Final = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM)  # noqa: SLF001
_RIGHTS: Final = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
_CODES: Final = frozenset((*_NAMES, *_RIGHTS))


class Denials:
    """For one client of confluent-kafka: it goes on trying after a wrong password, and tells of it beside its errors only."""

    def __init__(self, properties: Mapping[str, Any] | None) -> None:
        self._user = str((properties or {}).get("sasl.username", ""))
        self._told = ""

    def notice(self, error: KafkaError) -> None:
        """What the client tells beside its errors (`error_cb`)."""
        if error.code() in _CODES:
            self._told = _cause(error)

    def forget(self) -> None:
        """The broker has answered: what was told before was of another one, which had its address."""
        self._told = ""

    def refusal(self, where: str, error: KafkaError | None = None) -> Stop | None:
        """The refusal that an error is, or that the client told of before."""
        denied = error is not None and error.code() in _CODES
        if not denied and not self._told:
            return None
        return user_refused(self._user, _cause(error) if error is not None and denied else self._told, where)


def _cause(error: KafkaError) -> str:
    """Kafka's own words, without the state of the connection; of a right, the name of the error, as its text is of the broker's inside."""
    if error.code() in _RIGHTS:
        return KafkaError(error.code()).str().removeprefix("Broker: ")
    return error.str().rpartition(": SASL authentication error: ")[2].partition(" (after ")[0]
