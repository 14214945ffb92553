"""How every Kafka client of ours is configured: address, the user's security properties, no log of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from assay.app.bus.properties import aiokafka_arguments

LOOPBACK = "127.0.0.1:"


def librdkafka_settings(bootstrap: str, properties: Mapping[str, Any] | None, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Configuration of a confluent-kafka client. `options` and `properties` have librdkafka's names; options win.

    The library's own log is off: every failure is raised where it is met.
    """
    return {"log_level": 0, **(properties or {}), **(options or {}), "bootstrap.servers": bootstrap}


def aiokafka_settings(bootstrap: str, properties: Mapping[str, str] | None, **options: Any) -> dict[str, Any]:
    """Arguments of an aiokafka client. `properties` are librdkafka's: their security is translated, the rest is left out."""
    hush_loopback(bootstrap)
    return {**aiokafka_arguments(properties or {}), **options, "bootstrap_servers": bootstrap}


def hush_loopback(bootstrap: str) -> None:
    """Where Kafka listens on the loopback device, a password leaves the machine for nobody: aiokafka's warning is no news."""
    if all(address.startswith(LOOPBACK) for address in bootstrap.split(",")):
        logging.getLogger("aiokafka.conn").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "in the clear" not in record.getMessage()
