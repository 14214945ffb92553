"""The tables of the admission index. Who owns the database makes them; a gate with less right finds them there.

Facts are only ever inserted: a claim that is published again by a later batch is a row of `ig_retakes`, and its first row stays.
What is known of an event is a row of `ig_standing` (docs/decisions/0035).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg

from assay.app.gate.horizon_tables import FUNCTIONS as HORIZON_FUNCTIONS
from assay.app.gate.horizon_tables import TABLES as TABLES_OF_HORIZON
from assay.app.vault.tables import SCHEMA as VAULT
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: the key of an advisory lock of one schema, from its name
LOCK_KEY = "hashtextextended('ig_gate:' || current_schema() || ':' || %s, 0)"


def lock_key(name: str) -> str:
    """The key of the lock with this name, an SQL expression."""
    return LOCK_KEY.replace("%s", name)


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
  dedupe_key bytea, batch bigint, ordinal int NOT NULL, of_batch bigint, PRIMARY KEY (dedupe_key, batch));
CREATE TABLE IF NOT EXISTS ig_batches (
  batch bigint PRIMARY KEY, partitions int[] NOT NULL, offsets bigint[] NOT NULL, settled_at timestamptz NOT NULL DEFAULT now(),
  unknown int NOT NULL DEFAULT 0);
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ig_batches'::regclass AND attname = 'unknown') THEN
    ALTER TABLE ig_batches ADD COLUMN unknown int NOT NULL DEFAULT 0;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ig_retakes'::regclass AND attname = 'of_batch') THEN
    ALTER TABLE ig_retakes ADD COLUMN of_batch bigint;
  END IF;
END $$;
-- what one batch left is taken up by one other: two processes that are sent the same event do not both publish it
CREATE UNIQUE INDEX IF NOT EXISTS ig_retakes_once ON ig_retakes (dedupe_key, of_batch);
CREATE INDEX IF NOT EXISTS ig_batches_unknown ON ig_batches (batch) WHERE unknown > 0;
CREATE INDEX IF NOT EXISTS ig_retakes_batch ON ig_retakes (batch);
-- an epoch is one process of a gate from its start to its end; a batch is begun when its claims are made
CREATE TABLE IF NOT EXISTS ig_epochs (
  epoch bigint PRIMARY KEY, platform_run_id text NOT NULL, process int NOT NULL, begun_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_ended (epoch bigint PRIMARY KEY, ended_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_begun (
  batch bigint PRIMARY KEY, records int NOT NULL, bounds text NOT NULL, begun_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS ig_epochs_process ON ig_epochs (platform_run_id, process, epoch);
-- of a batch whose fate nobody was told: what the bus was found to hold, up to which end it was read, and who let the rest be sent again
CREATE TABLE IF NOT EXISTS ig_found (
  dedupe_key bytea, batch bigint, partition int NOT NULL, "offset" bigint NOT NULL, PRIMARY KEY (dedupe_key, batch));
CREATE INDEX IF NOT EXISTS ig_found_batch ON ig_found (batch);
CREATE TABLE IF NOT EXISTS ig_scanned (
  batch bigint PRIMARY KEY, found int NOT NULL, ends text NOT NULL, scanned_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_released (batch bigint PRIMARY KEY, by text NOT NULL, released_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_marks (
  platform_run_id text, event_class text, ts_us bigint NOT NULL, final boolean NOT NULL, PRIMARY KEY (platform_run_id, event_class));
CREATE TABLE IF NOT EXISTS ig_currencies (platform_run_id text PRIMARY KEY, currency text NOT NULL);
CREATE TABLE IF NOT EXISTS ig_answers (
  dedupe_key bytea PRIMARY KEY, platform_run_id text NOT NULL, partition int NOT NULL, "offset" bigint NOT NULL, answer bytea NOT NULL);
CREATE INDEX IF NOT EXISTS ig_answers_places ON ig_answers (platform_run_id, partition, "offset");
-- of several processes: which answer to a payment is written, whichever of them writes it (docs/decisions/0038)
CREATE TABLE IF NOT EXISTS ig_answer_claims (dedupe_key bytea PRIMARY KEY, platform_run_id text NOT NULL, answer bytea NOT NULL);
-- which names a sealed segment of receipts may hold, one row each (docs/decisions/0039); not packed, so that a part of it is read by itself
CREATE TABLE IF NOT EXISTS ig_segments (
  platform_run_id text, key text, digest bytea, form smallint NOT NULL, lines int NOT NULL, names bytea NOT NULL,
  PRIMARY KEY (platform_run_id, key, digest));
DO $$ BEGIN
  IF (SELECT attstorage <> 'e' FROM pg_attribute WHERE attrelid = 'ig_segments'::regclass AND attname = 'names') THEN
    ALTER TABLE ig_segments ALTER COLUMN names SET STORAGE EXTERNAL;
  END IF;
END $$;
CREATE SEQUENCE IF NOT EXISTS ig_epoch;
CREATE OR REPLACE VIEW ig_held AS
  SELECT c.dedupe_key, c.payload_hash, c.source_order, c.ts_us,
    coalesce(r.batch, c.batch) AS batch, coalesce(r.ordinal, c.ordinal) AS ordinal
  FROM ig_claims c LEFT JOIN LATERAL (
    SELECT t.batch, t.ordinal FROM ig_retakes t WHERE t.dedupe_key = c.dedupe_key ORDER BY t.batch DESC LIMIT 1) r ON true;
CREATE OR REPLACE VIEW ig_standing AS
  SELECT c.dedupe_key, c.payload_hash, c.source_order, c.ts_us, c.batch, b.settled_at,
    coalesce(b.partitions[c.ordinal + 1], f.partition) AS partition, coalesce(b.offsets[c.ordinal + 1], f."offset") AS "offset",
    CASE WHEN b.offsets[c.ordinal + 1] IS NOT NULL OR f."offset" IS NOT NULL THEN 'ADMITTED'
      WHEN r.batch IS NOT NULL THEN 'RELEASED'
      WHEN b.batch IS NOT NULL THEN 'AMBIGUOUS'
      WHEN g.batch IS NOT NULL THEN 'IN_FLIGHT'
      ELSE 'RELEASED' END AS state  -- of a version that did not say when a batch began: its claims may be sent again
  FROM ig_held c LEFT JOIN ig_batches b USING (batch) LEFT JOIN ig_found f USING (dedupe_key, batch)
    LEFT JOIN ig_released r USING (batch) LEFT JOIN ig_begun g USING (batch);
DROP VIEW IF EXISTS ig_admissions;
CREATE VIEW ig_admissions AS
  SELECT encode(dedupe_key, 'hex') AS dedupe_key, encode(payload_hash, 'hex') AS payload_hash, state, partition, "offset",
    settled_at AS admitted_at FROM ig_standing;
"""
#: the steps of one claim as one call. Each statement of it sees what was committed before it began: so the marks are those that hold once
#: their lock is shared, and a key that another process claimed meanwhile is known. Keys and hashes come as one run of 32 bytes each.
_CLAIM = """
CREATE OR REPLACE FUNCTION ig_marks_text(run text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(string_agg(event_class || ' ' || ts_us || ' ' || final, ';' ORDER BY event_class COLLATE "C"), '')
  FROM ig_marks WHERE platform_run_id = run $$;
CREATE OR REPLACE FUNCTION ig_claim(
  run text, marks text, of_batch bigint, bounds text, keys bytea, hashes bytea, orders bigint[], times bigint[]
) RETURNS int LANGUAGE plpgsql AS $$
-- How many keys were new and are claimed now; -1, with nothing claimed, where the marks are others than these. An event that the index may
-- have forgotten, and that is behind a mark, is no new one.
DECLARE fresh int; late_us bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(@marks);
  IF ig_marks_text(run) <> marks THEN RETURN -1; END IF;
  SELECT f.late_us INTO late_us FROM ig_forgotten f WHERE f.platform_run_id = run;
  INSERT INTO ig_claims (dedupe_key, payload_hash, batch, ordinal, source_order, ts_us)
    SELECT substring(keys FROM (at - 1)::int * 32 + 1 FOR 32) AS dedupe_key, substring(hashes FROM (at - 1)::int * 32 + 1 FOR 32),
      of_batch, (at - 1)::int, source_order, ts_us
    FROM unnest(orders, times) WITH ORDINALITY AS given (source_order, ts_us, at)
    WHERE late_us IS NULL OR ts_us >= late_us ORDER BY dedupe_key ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS fresh = ROW_COUNT;
  IF fresh > 0 THEN
    INSERT INTO ig_begun (batch, records, bounds, latest_us)
      SELECT of_batch, fresh, bounds, max(ts_us) FROM unnest(times) AS given (ts_us) ON CONFLICT DO NOTHING;
  END IF;
  RETURN fresh;
END $$;
"""
_FUNCTIONS = (_CLAIM + HORIZON_FUNCTIONS).replace("@marks", lock_key("'marks:' || run")).replace("@forget", lock_key("'forget:' || run"))
#: whatever an older version did not have
_COMPLETE = """
SELECT to_regproc('ig_claim') IS NOT NULL AND to_regclass('ig_standing') IS NOT NULL
  AND to_regclass('ig_segments') IS NOT NULL AND to_regclass('ig_forgotten') IS NOT NULL
  AND to_regclass('ig_answer_claims') IS NOT NULL AND to_regclass('ig_vault_erasures') IS NOT NULL
  AND (SELECT count(*) = 2 FROM pg_attribute
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
            connection.execute(_SCHEMA + TABLES_OF_HORIZON + _FUNCTIONS + VAULT)
            return True
    except psycopg.errors.InsufficientPrivilege:
        what = "the tables of the admission index are missing or of an older version, and this role may not make them"
        remedy = "Run `assay db migrate` once with the address of the owner of the database."
        raise Stop(Reason.DATABASE_NOT_MIGRATED, what, where="ig_claims", remedy=remedy) from None
