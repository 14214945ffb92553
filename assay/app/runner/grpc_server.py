"""The Scenario Runner over gRPC: the calls of its service. A refusal has a status, and itself in the trailing metadata."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from assay.app.gate.client_certificates import TlsFiles
from assay.app.runner.activation_request import with_documents
from assay.app.runner.certified import over_grpc
from assay.app.runner.service import CALL_BYTES_MAX, Caller, RunnerService, http_status
from assay.app.runner.wire_model import CALLS, PACKAGE, SERVICE
from assay.app.runner.wire_types import document_of, message_of, types_of
from assay.contracts.api_key import KEY_HEADER, key_of
from assay.contracts.errors import AssayError, refusal_fields
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.sr")
ACTOR: Final = "x-sr-actor"
REFUSAL: Final = "assay-refusal-bin"
THREADS: Final = 8
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_Work = Callable[[Caller, dict[str, Any]], Mapping[str, Any]]


def code_of(refusal: AssayError) -> grpc.StatusCode:
    """The status of gRPC that a refusal has."""
    taken = refusal.reason is Reason.EQUIV_KEY_COLLISION
    return grpc.StatusCode.ALREADY_EXISTS if taken else _CODES[http_status(refusal)]


def grpc_server(service: RunnerService, host: str, port: int, tls: TlsFiles | None = None) -> tuple[grpc.Server, int]:
    """A server that is not started yet, and its port; 0 takes a free one. Raises OSError for a port that is taken.

    With `tls` it speaks TLS. gRPC knows no optional certificates: where authorities of clients are given, every client has to show one.
    """
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", CALL_BYTES_MAX)]
    server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="sr-grpc"), options=options)
    handlers = {call.name: _handler(call.name, call.answer, work) for call, work in zip(CALLS, _works(service), strict=True)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", handlers),))
    try:
        place = f"{host}:{port}"
        bound = server.add_insecure_port(place) if tls is None else server.add_secure_port(place, _credentials(tls))
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, f"{host}:{port} cannot be listened on: {error}") from None
    return server, bound


def _credentials(files: TlsFiles) -> grpc.ServerCredentials:
    pair = files.key.read_bytes(), files.cert.read_bytes()
    known = None if files.client_ca is None else files.client_ca.read_bytes()
    return grpc.ssl_server_credentials([pair], root_certificates=known, require_client_auth=known is not None)


def _works(service: RunnerService) -> Iterable[_Work]:
    """What each call does, in the order of `CALLS`."""
    return (
        lambda caller, asked: service.submit(caller, asked).as_json(),
        lambda caller, asked: service.supersede(caller, asked.get("run_id", ""), asked.get("request", {})).as_json(),
        lambda caller, asked: service.show(caller, asked.get("run_id", "")).as_json(),
        lambda caller, asked: service.reemit(caller, asked.get("run_id", ""), asked).as_json(),
        lambda caller, asked: service.activate(caller, asked.get("run_id", ""), with_documents(asked)).as_json(),
        lambda caller, _: {"notices": service.quarantined(caller)},
        lambda caller, asked: service.quarantine_of(caller, asked.get("run_id", "")),
    )


def _handler(call: str, answer: str, work: _Work) -> grpc.RpcMethodHandler:
    request_type, answer_type = types_of(call)

    def handle(message: Any, context: grpc.ServicerContext) -> Any:
        told = {str(name): str(value) for name, value in context.invocation_metadata() if isinstance(value, str)}
        headers = {KEY_HEADER: told.get(KEY_HEADER.lower(), ""), "Authorization": told.get("authorization", "")}
        caller = over_grpc(context.auth_context(), key_of(headers), told.get(ACTOR, "").strip())
        try:
            return message_of(answer, work(caller, document_of(message)))
        except AssayError as refusal:
            _refuse(context, refusal)
        except Exception:  # what is wrong here is for our log, not for the caller
            log.exception("a call of %s failed", call)
            context.abort(grpc.StatusCode.INTERNAL, "the call failed; the log of the server says why")

    return grpc.unary_unary_rpc_method_handler(handle, request_type.FromString, answer_type.SerializeToString)


def _refuse(context: grpc.ServicerContext, refusal: AssayError) -> None:
    fields = refusal_fields(refusal.reason.value, refusal.what, refusal.where, refusal.remedy)
    context.set_trailing_metadata(((REFUSAL, message_of("Refusal", fields).SerializeToString()),))
    context.abort(code_of(refusal), str(refusal))
