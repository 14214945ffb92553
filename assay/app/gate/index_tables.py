"""The tables of the admission index. Who owns the database makes them; a gate with less right finds them there.

Facts are only ever inserted: a claim that is published again by a later batch is a row of `ig_retakes`, and its first row stays.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ig_claims (
  dedupe_key bytea PRIMARY KEY, payload_hash bytea NOT NULL, batch bigint NOT NULL, ordinal int NOT NULL,
  source_order bigint NOT NULL DEFAULT 0, ts_us bigint);
DO $$ BEGIN  -- of an older version; asked first, because a change locks the table even where there is nothing to change
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ig_claims'::regclass AND attname = 'source_order') THEN
    ALTER TABLE ig_claims ADD COLUMN source_order bigint NOT NULL DEFAULT 0;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ig_claims'::regclass AND attname = 'ts_us') THEN
    ALTER TABLE ig_claims ADD COLUMN ts_us bigint;
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS ig_retakes (
  dedupe_key bytea, batch bigint, ordinal int NOT NULL, PRIMARY KEY (dedupe_key, batch));
CREATE TABLE IF NOT EXISTS ig_batches (
  batch bigint PRIMARY KEY, partitions int[] NOT NULL, offsets bigint[] NOT NULL, settled_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_marks (
  platform_run_id text, event_class text, ts_us bigint NOT NULL, final boolean NOT NULL, PRIMARY KEY (platform_run_id, event_class));
CREATE TABLE IF NOT EXISTS ig_currencies (platform_run_id text PRIMARY KEY, currency text NOT NULL);
CREATE TABLE IF NOT EXISTS ig_answers (
  dedupe_key bytea PRIMARY KEY, platform_run_id text NOT NULL, partition int NOT NULL, "offset" bigint NOT NULL, answer bytea NOT NULL);
CREATE INDEX IF NOT EXISTS ig_answers_places ON ig_answers (platform_run_id, partition, "offset");
CREATE SEQUENCE IF NOT EXISTS ig_epoch;
CREATE OR REPLACE VIEW ig_held AS
  SELECT c.dedupe_key, c.payload_hash, c.source_order, c.ts_us,
    coalesce(r.batch, c.batch) AS batch, coalesce(r.ordinal, c.ordinal) AS ordinal
  FROM ig_claims c LEFT JOIN LATERAL (
    SELECT t.batch, t.ordinal FROM ig_retakes t WHERE t.dedupe_key = c.dedupe_key ORDER BY t.batch DESC LIMIT 1) r ON true;
CREATE OR REPLACE VIEW ig_admissions AS
  SELECT encode(c.dedupe_key, 'hex') AS dedupe_key, encode(c.payload_hash, 'hex') AS payload_hash,
    CASE WHEN b.batch IS NULL THEN 'IN_FLIGHT' WHEN b.offsets[c.ordinal + 1] IS NULL THEN 'AMBIGUOUS' ELSE 'ADMITTED' END AS state,
    b.partitions[c.ordinal + 1] AS partition, b.offsets[c.ordinal + 1] AS "offset", b.settled_at AS admitted_at
  FROM ig_held c LEFT JOIN ig_batches b USING (batch);
"""
#: whatever an older version did not have
_COMPLETE = """
SELECT to_regclass('ig_held') IS NOT NULL AND to_regclass('ig_answers') IS NOT NULL AND (SELECT count(*) = 2 FROM pg_attribute
  WHERE attrelid = to_regclass('ig_claims') AND attname IN ('source_order', 'ts_us'))
"""


def make_tables(connection: Connection) -> bool:
    """Make what is missing of the tables; whether anything was. Two at once are one after another.

    Raises Stop(DATABASE_NOT_MIGRATED) where something is missing and the role may not make it, psycopg.Error.
    """
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ig_schema', 0))")
            if connection.execute(_COMPLETE).fetchone() == (True,):
                return False
            connection.execute(_SCHEMA)
            return True
    except psycopg.errors.InsufficientPrivilege:
        what = "the tables of the admission index are missing or of an older version, and this role may not make them"
        remedy = "Run `assay db migrate` once with the address of the owner of the database."
        raise Stop(Reason.DATABASE_NOT_MIGRATED, what, where="ig_claims", remedy=remedy) from None
