"""How every Kafka client of ours is configured: address, the user's security properties, no log of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.app.bus.properties import aiokafka_arguments


def librdkafka_settings(bootstrap: str, properties: Mapping[str, Any] | None, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Configuration of a confluent-kafka client. `options` and `properties` have librdkafka's names; options win.

    The library's own log is off: every failure is raised where it is met.
    """
    return {"log_level": 0, **(properties or {}), **(options or {}), "bootstrap.servers": bootstrap}


def aiokafka_settings(bootstrap: str, properties: Mapping[str, str] | None, **options: Any) -> dict[str, Any]:
    """Arguments of an aiokafka client. `properties` are librdkafka's: their security is translated, the rest is left out."""
    return {**aiokafka_arguments(properties or {}), **options, "bootstrap_servers": bootstrap}
