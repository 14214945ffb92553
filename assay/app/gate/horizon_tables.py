"""How the server forgets ids of a run by its idempotency horizon (docs/decisions/0040): tables, and functions of the tables' owner.

The gate's role deletes nothing. It calls functions that look by themselves at what is beyond the horizon. `@lock` is the name of a lock.
"""

from __future__ import annotations

from typing import Final

#: what the gate calls, and nobody else
CALLED: Final = ("ig_forget_up_to(text)", "ig_forget(text, int)")
TABLES: Final = """
-- how far ids of a run are remembered: behind the marks of all these classes, behind what was admitted where there are none
CREATE TABLE IF NOT EXISTS ig_horizons (
  platform_run_id text PRIMARY KEY, horizon_us bigint NOT NULL CHECK (horizon_us > 0), newest bigint NOT NULL, classes text[]);
-- ids of events before `before_us`, of batches begun before `begun_before`, may be gone; what is before `late_us` is no new event
CREATE TABLE IF NOT EXISTS ig_forgotten (
  platform_run_id text PRIMARY KEY, before_us bigint NOT NULL, late_us bigint, begun_before timestamptz NOT NULL,
  ids bigint NOT NULL DEFAULT 0, forgotten_at timestamptz NOT NULL DEFAULT now());
-- the last places on the topic of answers whose rows are gone
CREATE TABLE IF NOT EXISTS ig_answers_forgotten (
  platform_run_id text, partition int, "offset" bigint NOT NULL, PRIMARY KEY (platform_run_id, partition));
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ig_begun'::regclass AND attname = 'latest_us') THEN
    ALTER TABLE ig_begun ADD COLUMN latest_us bigint;  -- of its events; an older version noted none
  END IF;
END $$;
CREATE INDEX IF NOT EXISTS ig_claims_batch ON ig_claims (batch);
"""
_FORGETTABLE: Final = """
CREATE OR REPLACE FUNCTION ig_forgettable(run text, at_most int)
RETURNS TABLE (batch bigint, records int, latest_us bigint, begun_at timestamptz) LANGUAGE sql STABLE AS $$
-- The oldest batches of a run in the order of their begin, with the latest time of an event up to there. A batch with an event that has no
-- place is none of them; neither is one of which an operator let events be sent again, nor one that sent them.
  SELECT h.batch, h.records, max(h.latest_us) OVER (ORDER BY h.begun_at, h.batch), h.begun_at
  FROM ig_epochs e CROSS JOIN LATERAL (
    SELECT g.batch, g.records, g.latest_us, g.begun_at FROM ig_begun g JOIN ig_batches b USING (batch)
    WHERE g.batch >= e.epoch << 32 AND g.batch < (e.epoch + 1) << 32 AND g.latest_us IS NOT NULL
      AND b.unknown = (SELECT count(*) FROM ig_found f WHERE f.batch = g.batch)
      AND NOT EXISTS (SELECT FROM ig_released r WHERE r.batch = g.batch)
      AND NOT EXISTS (SELECT FROM ig_retakes t WHERE t.batch = g.batch)
    ORDER BY g.batch LIMIT at_most) AS h
  WHERE e.platform_run_id = run ORDER BY h.begun_at, h.batch LIMIT at_most $$;
"""
_UP_TO: Final = """
CREATE OR REPLACE FUNCTION ig_forget_up_to(run text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
-- Say before which event time, in microseconds, ids of a run may be forgotten from now on; NULL where none is so old. Claims that are under
-- way end before it is said, and all later ones know it.
DECLARE horizon ig_horizons; oldest bigint; time_us bigint; admitted_us bigint; bound timestamptz;
BEGIN
  SELECT * INTO horizon FROM ig_horizons h WHERE h.platform_run_id = run;
  IF horizon IS NULL OR NOT pg_try_advisory_xact_lock(@forget) THEN RETURN NULL; END IF;
  SELECT f.latest_us INTO oldest FROM ig_forgettable(run, 1) f;
  IF horizon.classes IS NULL THEN
    time_us := (extract(epoch FROM now() + interval '1 hour') * 1000000)::bigint;
  ELSE
    SELECT min(m.ts_us) INTO time_us FROM ig_marks m WHERE m.platform_run_id = run AND m.event_class = ANY(horizon.classes)
      HAVING count(*) = cardinality(horizon.classes);
  END IF;
  IF oldest IS NULL OR time_us IS NULL OR oldest >= time_us - horizon.horizon_us THEN RETURN NULL; END IF;
  WITH tail AS MATERIALIZED (
    SELECT t.* FROM ig_epochs e CROSS JOIN LATERAL (
      SELECT g.batch, g.records, g.latest_us, g.begun_at FROM ig_begun g
      WHERE g.batch >= e.epoch << 32 AND g.batch < (e.epoch + 1) << 32 ORDER BY g.batch DESC LIMIT greatest(horizon.newest, 1000)) AS t
    WHERE e.platform_run_id = run),
  counted AS (SELECT t.begun_at, sum(t.records) OVER (ORDER BY t.begun_at DESC, t.batch DESC) AS newer FROM tail t)
  SELECT (SELECT max(c.begun_at) FROM counted c WHERE c.newer >= horizon.newest),
    (SELECT max(t.latest_us) FROM tail t WHERE t.begun_at < now() - interval '10 minutes') INTO bound, admitted_us;
  IF horizon.classes IS NULL THEN
    time_us := CASE WHEN admitted_us < time_us THEN admitted_us ELSE time_us END;
    IF admitted_us IS NULL THEN RETURN NULL; END IF;
  END IF;
  PERFORM FROM ig_forgettable(run, 1) f WHERE f.latest_us < time_us - horizon.horizon_us AND f.begun_at < bound;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock(@marks);
  INSERT INTO ig_forgotten AS f (platform_run_id, before_us, late_us, begun_before)
    VALUES (run, time_us - horizon.horizon_us, CASE WHEN horizon.classes IS NULL THEN NULL ELSE time_us - horizon.horizon_us END, bound)
    ON CONFLICT (platform_run_id) DO UPDATE SET before_us = greatest(f.before_us, excluded.before_us),
      late_us = greatest(f.late_us, excluded.late_us), begun_before = greatest(f.begun_before, excluded.begun_before);
  RETURN time_us - horizon.horizon_us;
END $$;
"""
_FORGET: Final = """
CREATE OR REPLACE FUNCTION ig_forget(run text, about int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
-- Delete about so many ids of what was said to be forgotten, whole batches with all their rows; how many, NULL where nothing is left.
DECLARE said ig_forgotten; gone bigint[]; deleted bigint;
BEGIN
  SELECT * INTO said FROM ig_forgotten f WHERE f.platform_run_id = run;
  IF said IS NULL OR NOT pg_try_advisory_xact_lock(@forget) THEN RETURN NULL; END IF;
  SELECT array_agg(c.batch) INTO gone FROM (
    SELECT f.*, sum(f.records) OVER (ORDER BY f.begun_at, f.batch) - f.records AS before_it FROM ig_forgettable(run, 500) f) AS c
    WHERE c.latest_us < said.before_us AND c.begun_at < said.begun_before AND c.before_it < about;
  IF gone IS NULL THEN RETURN NULL; END IF;
  WITH claims AS (DELETE FROM ig_claims c WHERE c.batch = ANY(gone) RETURNING c.dedupe_key),
  answers AS (
    DELETE FROM ig_answers a WHERE a.dedupe_key IN (SELECT c.dedupe_key FROM claims c) RETURNING a.partition, a."offset"),
  claimed AS (DELETE FROM ig_answer_claims a WHERE a.dedupe_key IN (SELECT c.dedupe_key FROM claims c)),
  noted AS (
    INSERT INTO ig_answers_forgotten AS n SELECT run, a.partition, max(a."offset") FROM answers a GROUP BY a.partition
    ON CONFLICT (platform_run_id, partition) DO UPDATE SET "offset" = greatest(n."offset", excluded."offset"))
  SELECT count(*) INTO deleted FROM claims;
  DELETE FROM ig_found f WHERE f.batch = ANY(gone);
  DELETE FROM ig_scanned s WHERE s.batch = ANY(gone);
  DELETE FROM ig_batches b WHERE b.batch = ANY(gone);
  DELETE FROM ig_begun g WHERE g.batch = ANY(gone);
  UPDATE ig_forgotten f SET ids = f.ids + deleted, forgotten_at = now() WHERE f.platform_run_id = run;
  RETURN deleted;
END $$;
"""
#: the schema of the tables, and no other place where somebody could put a table of the same name
_OWNED: Final = """
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION @called SET search_path = %I, pg_temp', current_schema());
  REVOKE ALL ON FUNCTION @called FROM PUBLIC;
END $$;
"""
FUNCTIONS: Final = _FORGETTABLE + _UP_TO + _FORGET + "".join(_OWNED.replace("@called", one) for one in CALLED)
