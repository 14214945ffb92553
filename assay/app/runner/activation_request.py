"""A change of policy as somebody asks for it: by the command, over HTTP, or over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.app.run.directory import RunConfig
from assay.app.runner.documents import refuse_malformed
from assay.app.runner.json_object import object_of
from assay.contracts import instants
from assay.contracts.canonical import document_bytes
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

SCHEMA: Final = "sr_policy_activation.v1"
#: fields that hold a document of a policy
DOCUMENTS: Final = ("features", "rules")


class Asked(NamedTuple):
    """What is asked for: the two documents of a policy, who asks and why, and from which event time on, None for at once."""

    features: Mapping[str, Any]
    rules: Mapping[str, Any]
    actor: str
    reason: str
    from_us: int | None = None


def read_asked(config: RunConfig, document: Mapping[str, Any]) -> Asked:
    """What a document of the schema asks for. Features that are left out are those of the run.

    Raises Quarantine(SCHEMA_FAIL, TIME_INVALID, POLICY_REVISION_REFUSED), and then nothing was written.
    """
    refuse_malformed(SCHEMA, document)
    features = document.get("features", config.features)
    _refuse_endless("features", features)
    _refuse_endless("rules", document["rules"])
    return Asked(
        features, document["rules"], document["requested_by"], document["reason"], from_us_of(config, document.get("from_utc", ""))
    )


def from_us_of(config: RunConfig, text: str) -> int | None:
    """The event time, in microseconds, from which a policy is to count; None for an empty text.

    Raises Quarantine(POLICY_REVISION_REFUSED) for a run that is not decided in event time, Quarantine(TIME_INVALID).
    """
    if not text:
        return None
    if config.ordering != "event_time":
        what = "a time to count from is for runs that are decided in event time; this run decides payments as they arrive"
        raise Quarantine(Reason.POLICY_REVISION_REFUSED, what, where="from_utc", remedy="Leave the time out.")
    return instants.read(text)


def with_documents(message: Mapping[str, Any]) -> dict[str, Any]:
    """The same request with its policy documents read, where a message carries them as JSON text. Raises Quarantine(SCHEMA_FAIL)."""
    return {**message, **{name: object_of(message[name], name) for name in DOCUMENTS if name in message}}


def _refuse_endless(name: str, document: Mapping[str, Any]) -> None:
    try:
        document_bytes(document)
    except (ValueError, RecursionError) as error:
        what = f"the {name} have no canonical form: {error}"
        raise Quarantine(Reason.SCHEMA_FAIL, what, where=name, remedy="Write finite numbers, and less nesting.") from None
