"""Every client of ours is configured by one rule: our options win over the user's properties, the address over both."""

from __future__ import annotations

from typing import Any

import pytest

from assay.app.bus.client import aiokafka_settings, librdkafka_settings

SECURED = {"security.protocol": "sasl_plaintext", "sasl.username": "kim", "linger.ms": "5", "bootstrap.servers": "elsewhere:1"}


@pytest.mark.parametrize(
    ("properties", "options", "found"),
    [
        pytest.param(None, None, {"log_level": 0, "bootstrap.servers": "host:1"}, id="nothing is asked for"),
        pytest.param({"log_level": 6}, None, {"log_level": 6, "bootstrap.servers": "host:1"}, id="a user may ask for the log"),
        pytest.param(SECURED, {"linger.ms": 0}, {"log_level": 0, **SECURED, "linger.ms": 0, "bootstrap.servers": "host:1"}, id="ours wins"),
    ],
)
def test_settings_of_a_librdkafka_client(properties: dict[str, Any] | None, options: dict[str, Any] | None, found: dict[str, Any]) -> None:
    assert librdkafka_settings("host:1", properties, options) == found


def test_settings_of_an_aiokafka_client_hold_the_security_and_no_other_property() -> None:
    assert aiokafka_settings("host:1", SECURED, acks="all") == {
        "bootstrap_servers": "host:1",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_plain_username": "kim",
        "acks": "all",
    }
    assert aiokafka_settings("host:1", None) == {"bootstrap_servers": "host:1"}
