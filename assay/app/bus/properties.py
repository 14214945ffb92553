"""Security of the user's own Kafka: one properties file for both client libraries."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: librdkafka's name → aiokafka's argument
AIOKAFKA_ARGUMENTS = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}


def read_bus_properties(path: Path | None) -> dict[str, str]:
    """The properties as librdkafka names them, from `key=value` lines or a JSON object; empty without a file.

    The result goes to confluent-kafka as it is. Raises Stop(SETTING_INVALID) naming the file and the line.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            return {str(key): str(value) for key, value in json.loads(text).items()}
    except (OSError, ValueError) as error:
        raise _invalid(path, str(error)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(("#", "!")):
            key, equals, value = line.partition("=")
            if not equals:
                raise _invalid(path, f"line {number} is not key=value")
            found[key.strip()] = value.strip()
    return found


def aiokafka_arguments(properties: Mapping[str, str]) -> dict[str, Any]:
    """The same security for aiokafka: protocol, SASL and, for TLS, an `ssl_context`. Other properties are left out."""
    arguments: dict[str, Any] = {name: properties[key] for key, name in AIOKAFKA_ARGUMENTS.items() if key in properties}
    if "SSL" in properties.get("security.protocol", "").upper():
        context = ssl.create_default_context(cafile=properties.get("ssl.ca.location"))
        if "ssl.certificate.location" in properties:
            context.load_cert_chain(
                properties["ssl.certificate.location"], properties.get("ssl.key.location"), properties.get("ssl.key.password")
            )
        context.check_hostname = properties.get("ssl.endpoint.identification.algorithm", "https") != "none"
        arguments["ssl_context"] = context
    if "security_protocol" in arguments:
        arguments["security_protocol"] = arguments["security_protocol"].upper()
    return arguments


def _invalid(path: Path, why: str) -> Stop:
    return Stop(
        Reason.SETTING_INVALID,
        f"setting bus_properties: {why}",
        where=str(path),
        remedy="Write librdkafka properties, one key=value a line.",
    )
