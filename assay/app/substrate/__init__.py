"""Real Kafka and PostgreSQL for a laptop, a test or a demo: an address in the settings wins over starting a server."""

from __future__ import annotations

from assay.app.substrate.processes import Server
from assay.app.substrate.servers import Substrate, kafka_at, postgres_at

__all__ = ["Server", "Substrate", "kafka_at", "postgres_at"]
