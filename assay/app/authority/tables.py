"""The tables of the authority store. Times are UTC microseconds."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

METADATA: Final = MetaData()

EQUIVALENCE: Final = Table(
    "sr_run_equivalence",
    METADATA,
    Column("run_equivalence_key", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("intent_fingerprint", Text, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
)

#: beside the registry: what a key means is a fact, when it was asked for last is a position
LAST_ASKED: Final = Table(
    "sr_key_last_asked",
    METADATA,
    Column("run_equivalence_key", Text, primary_key=True),
    Column("last_asked_at", BigInteger, nullable=False),
)

LEASES: Final = Table(
    "sr_run_leases",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("lease_token", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
