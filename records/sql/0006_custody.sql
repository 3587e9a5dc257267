-- Erasures, legal holds and expiries: what was asked, what stands in the way, how far each has come. Every step is an entry
-- of the log; these rows are written in the transaction of that entry. A subject is known here by the id of its key alone.

CREATE TABLE records.hold (
    hold_id           uuid PRIMARY KEY,
    kind              text NOT NULL CHECK (kind IN ('subject', 'explanation', 'model', 'everything')),
    subject_key_id    uuid,
    explanation_id    uuid,
    model             text,
    version           text,
    placed_at         timestamptz NOT NULL,
    placed_by         text NOT NULL,
    placed_entry_id   uuid NOT NULL UNIQUE,
    released_at       timestamptz,
    released_by       text,
    released_entry_id uuid UNIQUE,
    CHECK ((kind = 'subject') = (subject_key_id IS NOT NULL)),
    CHECK ((kind = 'explanation') = (explanation_id IS NOT NULL)),
    CHECK ((kind = 'model') = (model IS NOT NULL) AND (version IS NULL OR model IS NOT NULL)),
    CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (released_entry_id IS NULL))
);
CREATE INDEX hold_placed ON records.hold (placed_at, hold_id);
CREATE INDEX hold_active ON records.hold (kind) WHERE released_at IS NULL;

-- `request_key` is a keyed HMAC of the request, by which a repetition is known for a day after all is done; then it goes.
CREATE TABLE records.erasure (
    erasure_id         uuid PRIMARY KEY,
    subject_key_id     uuid NOT NULL,
    request_key        bytea CHECK (octet_length(request_key) = 32),
    basis              text,
    requested_at       timestamptz NOT NULL,
    requested_by       text NOT NULL,
    requested_entry_id uuid NOT NULL UNIQUE,
    effective_at       timestamptz NOT NULL,
    refused            boolean NOT NULL,
    ground             text CHECK (ground IN ('retention', 'hold')), -- why it was refused, or why it waits
    retained_until     timestamptz,
    hold_ids           uuid[] NOT NULL DEFAULT '{}',
    held_at            timestamptz, -- since when it waits; none while it does not
    started_at         timestamptz, -- from here on nothing stops it
    destroyed_at       timestamptz,
    forgotten_at       timestamptz,
    entries            bigint,
    indexes            bigint,
    evaluations        bigint,
    completed_at       timestamptz,
    completed_entry_id uuid UNIQUE,
    CHECK (NOT refused OR (ground IS NOT NULL AND started_at IS NULL)),
    CHECK (refused OR (ground IS NOT NULL) = (held_at IS NOT NULL)),
    CHECK (held_at IS NULL OR started_at IS NULL),
    CHECK (destroyed_at IS NULL OR started_at IS NOT NULL),
    CHECK (forgotten_at IS NULL OR destroyed_at IS NOT NULL),
    CHECK ((forgotten_at IS NULL) = (entries IS NULL OR indexes IS NULL OR evaluations IS NULL)),
    CHECK (completed_at IS NULL OR forgotten_at IS NOT NULL),
    CHECK ((completed_at IS NULL) = (completed_entry_id IS NULL))
);
CREATE UNIQUE INDEX erasure_once ON records.erasure (subject_key_id) WHERE NOT refused;
CREATE INDEX erasure_due ON records.erasure (effective_at) WHERE NOT refused AND completed_at IS NULL;
CREATE INDEX erasure_requested ON records.erasure (requested_at, erasure_id);
CREATE INDEX erasure_repeated ON records.erasure (request_key) WHERE request_key IS NOT NULL;

CREATE TABLE records.expiry (
    retention_class   text NOT NULL,
    month             date NOT NULL CHECK (extract(day FROM month) = 1),
    started_at        timestamptz NOT NULL, -- from here on nothing stops it
    entries           bigint,
    keys              bigint,
    manifest_entry_id uuid UNIQUE,
    expired_at        timestamptz,
    dropped_at        timestamptz,
    PRIMARY KEY (retention_class, month),
    CHECK ((expired_at IS NULL) = (manifest_entry_id IS NULL OR entries IS NULL OR keys IS NULL)),
    CHECK (dropped_at IS NULL OR expired_at IS NOT NULL)
);

CREATE INDEX evaluation_requested_entry ON records.evaluation (requested_entry_id);

-- Whoever decides whether something may be destroyed, or that it may not, takes this turn first and keeps it until its
-- transaction ends: a hold is either seen by an erasure or comes too late for it, and is told so.
CREATE FUNCTION records.custody_turn_v1() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_advisory_xact_lock(hashtext('records.custody')) $$;

-- The holds that cover the entries of one subject, whose keys are given.
CREATE FUNCTION records.holds_over_subject_v1(p_subject_key_id uuid, p_key_ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH held AS (
        SELECT entry_id, convert_from(canonical, 'UTF8')::jsonb -> 'body' AS body
          FROM audit.entry WHERE key_id = ANY (p_key_ids)
    )
    SELECT hold_id FROM records.hold
     WHERE released_at IS NULL
       AND (kind = 'everything'
            OR (kind = 'subject' AND subject_key_id = p_subject_key_id)
            OR (kind = 'explanation' AND explanation_id IN (SELECT entry_id FROM held))
            OR (kind = 'model' AND EXISTS (
                    SELECT FROM held WHERE body ->> 'model' = hold.model
                       AND (hold.version IS NULL OR body ->> 'version' = hold.version))))
     ORDER BY hold_id
$$;

-- The holds that could cover an entry of one class and month. Of those on a subject, which only the keys database can
-- place, these are the ones placed since p_looked_at.
CREATE FUNCTION records.holds_over_month_v1(p_class text, p_month date, p_looked_at timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH active AS (
        SELECT * FROM records.hold WHERE released_at IS NULL
    ), month AS NOT MATERIALIZED (
        SELECT entry_id, about, canonical FROM audit.entry
         WHERE retention_class = p_class AND key_id IS NOT NULL AND EXISTS (SELECT FROM active)
           AND time >= p_month::timestamp AT TIME ZONE 'UTC'
           AND time < (p_month + interval '1 month') AT TIME ZONE 'UTC'
    )
    SELECT hold_id FROM active
     WHERE kind = 'everything'
        OR (kind = 'subject' AND placed_at >= p_looked_at)
        OR EXISTS (SELECT FROM month WHERE month.entry_id = active.placed_entry_id)
        OR (kind = 'explanation'
            AND EXISTS (SELECT FROM month WHERE active.explanation_id IN (month.entry_id, month.about)))
        OR (kind = 'model'
            AND EXISTS (SELECT FROM month
                         WHERE convert_from(canonical, 'UTF8')::jsonb #>> '{body,model}' = active.model
                           AND (active.version IS NULL
                                OR convert_from(canonical, 'UTF8')::jsonb #>> '{body,version}' = active.version)))
     ORDER BY hold_id
$$;

-- The one place that takes away what other tables keep about decisions: of evaluations about these entries, those that are
-- unfinished are cancelled, and what was asked and found is emptied. Their rows stay, so that nobody makes them again.
CREATE FUNCTION records.forget_decisions_v1(p_ids uuid[], p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count bigint;
BEGIN
    UPDATE records.evaluation
       SET state = CASE WHEN finished_at IS NULL THEN 'cancelled' ELSE state END,
           lease_owner = NULL, lease_until = NULL, finished_at = coalesce(finished_at, p_at),
           parameters = '{}', result = CASE WHEN result IS NOT NULL THEN '{}'::bytea END,
           failure = CASE WHEN failure IS NOT NULL THEN 'erased' END
     WHERE (requested_entry_id = ANY (p_ids)
            OR requested_entry_id IN (SELECT entry_id FROM audit.entry WHERE about = ANY (p_ids)))
       AND parameters <> '{}'::bytea;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;

-- Steps of the custodian ----------------------------------------------------------------------------------------------

CREATE FUNCTION records.destroyed_erasure_v1(p_erasure_id uuid, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.erasure SET destroyed_at = p_at
     WHERE erasure_id = p_erasure_id AND started_at IS NOT NULL AND destroyed_at IS NULL
$$;

CREATE FUNCTION records.forgotten_erasure_v1(
    p_erasure_id uuid, p_at timestamptz, p_entries bigint, p_indexes bigint, p_evaluations bigint
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.erasure SET forgotten_at = p_at, entries = p_entries, indexes = p_indexes, evaluations = p_evaluations
     WHERE erasure_id = p_erasure_id AND destroyed_at IS NOT NULL AND forgotten_at IS NULL
$$;

CREATE FUNCTION records.complete_erasure_v1(p_erasure_id uuid, p_at timestamptz, p_entry_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.erasure SET completed_at = p_at, completed_entry_id = p_entry_id
     WHERE erasure_id = p_erasure_id AND forgotten_at IS NOT NULL AND completed_at IS NULL
$$;

CREATE FUNCTION records.forget_requests_v1(p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count bigint;
BEGIN
    UPDATE records.erasure SET request_key = NULL
     WHERE request_key IS NOT NULL AND (completed_at < p_before OR (refused AND requested_at < p_before));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;

CREATE FUNCTION records.start_expiry_v1(p_class text, p_month date, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO records.expiry (retention_class, month, started_at) VALUES (p_class, p_month, p_at)
        ON CONFLICT (retention_class, month) DO NOTHING
$$;

CREATE FUNCTION records.manifest_expiry_v1(
    p_class text, p_month date, p_at timestamptz, p_entries bigint, p_keys bigint, p_entry_id uuid
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.expiry SET expired_at = p_at, entries = p_entries, keys = p_keys, manifest_entry_id = p_entry_id
     WHERE retention_class = p_class AND month = p_month AND expired_at IS NULL
$$;

CREATE FUNCTION records.drop_expiry_v1(p_class text, p_month date, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.expiry SET dropped_at = p_at
     WHERE retention_class = p_class AND month = p_month AND expired_at IS NOT NULL AND dropped_at IS NULL
$$;

REVOKE ALL ON records.hold, records.erasure, records.expiry FROM PUBLIC;
GRANT USAGE ON SCHEMA records TO ofrecord_custodian;
GRANT SELECT ON records.hold, records.erasure, records.expiry
    TO ofrecord_service, ofrecord_worker, ofrecord_auditor, ofrecord_custodian;
GRANT EXECUTE ON FUNCTION records.custody_turn_v1(), records.holds_over_subject_v1(uuid, uuid[])
    TO ofrecord_service, ofrecord_custodian;
GRANT EXECUTE ON FUNCTION
    records.holds_over_month_v1(text, date, timestamptz),
    records.forget_decisions_v1(uuid[], timestamptz),
    records.destroyed_erasure_v1(uuid, timestamptz),
    records.forgotten_erasure_v1(uuid, timestamptz, bigint, bigint, bigint),
    records.complete_erasure_v1(uuid, timestamptz, uuid),
    records.forget_requests_v1(timestamptz),
    records.start_expiry_v1(text, date, timestamptz),
    records.manifest_expiry_v1(text, date, timestamptz, bigint, bigint, uuid),
    records.drop_expiry_v1(text, date, timestamptz)
TO ofrecord_custodian;
