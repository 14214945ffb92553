"""Receipts of the verifier for outputs that belong to one instance of a world: each is written once."""

from __future__ import annotations

import re
from typing import Any, Final

from assay.app.runner.documents import refuse_malformed
from assay.app.runner.evidence import Located
from assay.app.runner.request import RunRequest
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: tokens in the order in which a path has them
_TOKENS: Final = ("manifest_fingerprint", "parameter_hash", "seed", "scenario_id")
_IN_PATH: Final = re.compile(rf"(?:^|/)({'|'.join(_TOKENS)})=")
_FINER: Final = frozenset(_TOKENS[1:])


def scope_of(request: RunRequest, located: Located) -> dict[str, Any]:
    """What an output belongs to: the tokens of its path, and always the fingerprint."""
    found = {"manifest_fingerprint", *_IN_PATH.findall(located.path)}
    values = {name: vars(request)[name] for name in _TOKENS}
    return {name: value for name, value in values.items() if name in found}


def receipt_of(request: RunRequest, located: Located) -> dict[str, Any] | None:
    """The receipt of an output; None for one that belongs to every instance of a fingerprint."""
    scope = scope_of(request, located)
    if not _FINER & scope.keys():
        return None
    digest = located.locator(request.manifest_fingerprint)["content_digest"]
    told = {"output_id": located.output_id, "status": "PASS", "scope": scope, "target_ref": located.path, "target_digest": digest}
    return {**told, "receipt_ref": receipt_key(located.output_id, scope)}


def receipt_key(output_id: str, scope: dict[str, Any]) -> str:
    """Where the receipt of an output is."""
    tokens = "/".join(f"{name}={scope[name]}" for name in _TOKENS if name in scope)
    return f"sr/instance_receipts/output_id={output_id}/{tokens}/instance_receipt.json"


def write_receipt(store: ObjectStore, receipt: dict[str, Any]) -> None:
    """Write a receipt. Raises Stop(INSTANCE_RECEIPT_DRIFT) when this instance was verified with other content before."""
    refuse_malformed("sr_instance_receipt.v1", receipt)
    data = canonical(receipt) + b"\n"
    try:
        store.create(receipt["receipt_ref"], data)
    except ObjectExists:
        if store.read(receipt["receipt_ref"]) != data:
            what = f"{receipt['output_id']} of this instance was verified with other content before"
            remedy = "An instance of a world has one content; find out who wrote the other one."
            raise Stop(Reason.INSTANCE_RECEIPT_DRIFT, what, where=receipt["receipt_ref"], remedy=remedy) from None
