"""The log of the gate's HTTP server, without bytes that are no call."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from assay.app.metrics import GATE_REFUSED_CALLS
from assay.contracts.reasons import Reason


class _NoHttp(logging.Filter):
    """Bytes that are no call, which aiohttp answers with 400 by itself: counted here, and not logged.

    Its log would hold a traceback and the sender's bytes for each, keys and payments among them, at the will of anybody who can connect.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            GATE_REFUSED_CALLS.add({Reason.BODY_INVALID.value: 1})
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)


HTTP_LOG = logging.getLogger("assay.gate.http")
HTTP_LOG.addFilter(_NoHttp())
