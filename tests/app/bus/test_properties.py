"""One properties file secures both Kafka clients."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from assay.app.bus.properties import aiokafka_arguments, read_bus_properties
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

LINES = "# cluster\nsecurity.protocol = sasl_ssl\nsasl.mechanism=SCRAM-SHA-512\n\nsasl.username=kim\nsasl.password=a=b\n"
READ = {"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "kim", "sasl.password": "a=b"}


def test_lines_and_json_say_the_same(tmp_path: Path) -> None:
    lines, document = tmp_path / "client.properties", tmp_path / "client.json"
    lines.write_text(LINES)
    document.write_text(str(READ).replace("'", '"'))
    assert read_bus_properties(lines) == READ
    assert read_bus_properties(document) == READ
    assert read_bus_properties(None) == {}


def test_aiokafka_gets_the_same_security() -> None:
    arguments = aiokafka_arguments(READ)
    context = arguments.pop("ssl_context")
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert arguments == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "kim",
        "sasl_plain_password": "a=b",
    }


def test_no_security_asks_for_none() -> None:
    assert aiokafka_arguments({"linger.ms": "5"}) == {}


@pytest.mark.parametrize(("text", "told"), [("security.protocol\n", "line 1"), ("{broken", "Expecting")])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "client.properties"
    file.write_text(text)
    with pytest.raises(Stop) as refused:
        read_bus_properties(file)
    assert refused.value.reason is Reason.SETTING_INVALID
    assert told in str(refused.value)
    assert str(file) in str(refused.value)
