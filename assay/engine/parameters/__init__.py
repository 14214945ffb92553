"""The documents that say how large a world is and how it behaves: YAML beside this file, validated by the model that reads each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.contracts.canonical import document_digest
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document


class Document(BaseModel):
    """A parameter document. A subclass names its file and the fields of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    document: ClassVar[str]


M = TypeVar("M", bound=Document)


class Parameters:
    """All documents of a world, with the chosen scale as one of them."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self.documents = {name: dict(document) for name, document in documents.items()}
        self._read: dict[type[Document], Document] = {}

    def of(self, model: type[M]) -> M:
        """The document of a model. Raises Stop(ENGINE_PARAMETERS_INVALID) naming document and field."""
        found = self._read.get(model)
        if found is None:
            found = self._read[model] = _validated(model, self.documents.get(model.document))
        assert isinstance(found, model)
        return found

    @property
    def hash(self) -> str:
        """64 hex digits over all documents."""
        return document_digest(self.documents).hex()


def shipped(scale: str, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Parameters:
    """The shipped documents at a scale. `changes`: document → fields to be replaced. Raises Stop(ENGINE_PARAMETERS_INVALID)."""
    documents = {name: dict(document) for name, document in _all().items()}
    scales = documents.pop("scales")
    if scale not in scales:
        remedy = f"Scales are {', '.join(scales)}."
        raise Stop(Reason.ENGINE_PARAMETERS_INVALID, f"there is no scale '{scale}'", where="--scale", remedy=remedy)
    documents["scale"] = {"name": scale, **scales[scale]}
    for name, fields in (changes or {}).items():
        documents[name] = {**documents[name], **fields}
    return Parameters(documents)


@cache
def _all() -> dict[str, dict[str, Any]]:
    found = sorted(path.name for path in files(__name__).iterdir() if path.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): read_shipped(name) for name in found}


def sealed_digests() -> dict[str, str]:
    """Shipped document → sha256 hex of its bytes: the closed set of inputs of every world."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files(__name__).iterdir() if path.name.endswith(".yaml")}


@cache
def read_shipped(name: str) -> dict[str, Any]:
    """A shipped document; callers do not change it."""
    return read_document(files(__name__).joinpath(name).read_bytes(), Reason.ENGINE_PARAMETERS_INVALID, name)


def _validated(model: type[M], document: Mapping[str, Any] | None) -> M:
    if document is None:
        raise Stop(Reason.ENGINE_PARAMETERS_INVALID, "the document is missing", where=model.document, remedy="Install assay again.")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((model.document, *(str(part) for part in first["loc"])))
        remedy = "Correct the field; the shipped document shows each with its unit."
        raise Stop(Reason.ENGINE_PARAMETERS_INVALID, first["msg"], where=where, remedy=remedy) from None
