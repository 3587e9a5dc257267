-- Evaluations: what workers compute beside the request path. One row each; the state moves only through the functions
-- below, every one of which takes the time as an argument. No personal data: parameters are ids, the result is a summary.

CREATE TABLE records.evaluation (
    evaluation_id      uuid PRIMARY KEY,
    kind               text NOT NULL CHECK (kind <> ''),
    model              text NOT NULL,
    version            text NOT NULL,
    parameters         bytea NOT NULL,
    requested_by       text NOT NULL,
    state              text NOT NULL DEFAULT 'queued'
                       CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    progress           real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    attempts           integer NOT NULL DEFAULT 0,
    lease_owner        text,
    lease_until        timestamptz,
    requested_at       timestamptz NOT NULL,
    sent_at            timestamptz NOT NULL,
    started_at         timestamptz,
    finished_at        timestamptz,
    failure            text,
    result             bytea,
    requested_entry_id uuid NOT NULL,
    outcome_entry_id   uuid,
    CHECK ((state = 'running') = (lease_owner IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'completed' OR result IS NOT NULL),
    CHECK (state <> 'failed' OR failure IS NOT NULL)
);

CREATE INDEX evaluation_unfinished ON records.evaluation (sent_at) WHERE state IN ('queued', 'running');

-- A request: the row stands in the same transaction as its log entry, before any message is sent.
CREATE FUNCTION records.request_evaluation_v1(
    p_evaluation_id uuid, p_kind text, p_model text, p_version text, p_parameters bytea,
    p_requested_by text, p_requested_entry_id uuid, p_now timestamptz
) RETURNS records.evaluation
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO records.evaluation
        (evaluation_id, kind, model, version, parameters, requested_by, requested_entry_id, requested_at, sent_at)
    VALUES
        (p_evaluation_id, p_kind, p_model, p_version, p_parameters, p_requested_by, p_requested_entry_id, p_now, p_now)
    RETURNING *
$$;

-- A worker takes the lease of what is queued, or of what runs under a lease that has run out. Else: no row.
CREATE FUNCTION records.claim_evaluation_v1(
    p_evaluation_id uuid, p_owner text, p_now timestamptz, p_lease_until timestamptz
) RETURNS SETOF records.evaluation
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.evaluation
       SET state = 'running', lease_owner = p_owner, lease_until = p_lease_until,
           attempts = attempts + 1, started_at = coalesce(started_at, p_now)
     WHERE evaluation_id = p_evaluation_id
       AND (state = 'queued' OR (state = 'running' AND lease_until < p_now))
    RETURNING *
$$;

-- Prolongs the lease and reports progress, which never goes back. Says what the row is to its caller:
-- running, one of the final states, or 'lost' when another worker holds the lease.
CREATE FUNCTION records.heartbeat_evaluation_v1(
    p_evaluation_id uuid, p_owner text, p_lease_until timestamptz, p_progress double precision
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_state text;
BEGIN
    UPDATE records.evaluation
       SET lease_until = p_lease_until, progress = greatest(progress, least(p_progress, 1))
     WHERE evaluation_id = p_evaluation_id AND state = 'running' AND lease_owner = p_owner;
    IF FOUND THEN
        RETURN 'running';
    END IF;
    SELECT state INTO found_state FROM records.evaluation WHERE evaluation_id = p_evaluation_id;
    RETURN CASE WHEN found_state IN ('completed', 'failed', 'cancelled') THEN found_state ELSE 'lost' END;
END
$$;

-- A worker that stumbled over something passing gives the lease back and names what it met. The scheduler sends it
-- again, as if it had last been sent at the given time, which may lie ahead: a pause that grows with the attempts.
CREATE FUNCTION records.release_evaluation_v1(
    p_evaluation_id uuid, p_owner text, p_sent_at timestamptz, p_failure text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.evaluation
       SET state = 'queued', lease_owner = NULL, lease_until = NULL, sent_at = p_sent_at, failure = p_failure
     WHERE evaluation_id = p_evaluation_id AND state = 'running' AND lease_owner = p_owner;
    RETURN FOUND;
END
$$;

-- The holder of the lease finishes. False: it holds the lease no longer, and must leave no outcome.
-- Runs in the transaction that appends the outcome entry, whose id follows by outcome_evaluation_v1.
CREATE FUNCTION records.finish_evaluation_v1(
    p_evaluation_id uuid, p_owner text, p_now timestamptz, p_state text, p_failure text, p_result bytea
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_state NOT IN ('completed', 'failed') THEN
        RAISE EXCEPTION 'an evaluation cannot finish as %', p_state USING ERRCODE = 'check_violation';
    END IF;
    UPDATE records.evaluation
       SET state = p_state, lease_owner = NULL, lease_until = NULL, finished_at = p_now,
           failure = p_failure, result = p_result, progress = CASE p_state WHEN 'completed' THEN 1 ELSE progress END
     WHERE evaluation_id = p_evaluation_id AND state = 'running' AND lease_owner = p_owner;
    RETURN FOUND;
END
$$;

-- Cancels what has not finished. False: it had finished, and stays as it is.
CREATE FUNCTION records.cancel_evaluation_v1(p_evaluation_id uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.evaluation
       SET state = 'cancelled', lease_owner = NULL, lease_until = NULL, finished_at = p_now, failure = NULL
     WHERE evaluation_id = p_evaluation_id AND state IN ('queued', 'running');
    RETURN FOUND;
END
$$;

-- Names the log entry of the outcome, once.
CREATE FUNCTION records.outcome_evaluation_v1(p_evaluation_id uuid, p_entry_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.evaluation
       SET outcome_entry_id = p_entry_id
     WHERE evaluation_id = p_evaluation_id AND state IN ('completed', 'failed', 'cancelled')
       AND outcome_entry_id IS NULL;
    RETURN FOUND;
END
$$;

-- What a scheduler must send (again): queued and not sent since p_queued_before, or running under a lease that has run
-- out and not sent since p_expired_before. Marks them as sent now; rows another scheduler is just taking are passed
-- over, so any number is harmless.
CREATE FUNCTION records.evaluations_due_for_redelivery_v1(
    p_now timestamptz, p_queued_before timestamptz, p_expired_before timestamptz, p_at_most integer
) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.evaluation
       SET sent_at = p_now
     WHERE evaluation_id IN (
            SELECT evaluation_id
              FROM records.evaluation
             WHERE (state = 'queued' AND sent_at < p_queued_before)
                OR (state = 'running' AND sent_at < p_expired_before AND lease_until < p_now)
             ORDER BY sent_at
             LIMIT p_at_most
               FOR UPDATE SKIP LOCKED)
    RETURNING evaluation_id
$$;

REVOKE ALL ON records.evaluation FROM PUBLIC;
GRANT SELECT ON records.evaluation TO ofrecord_service, ofrecord_worker, ofrecord_auditor;
GRANT EXECUTE ON FUNCTION
    records.request_evaluation_v1(uuid, text, text, text, bytea, text, uuid, timestamptz),
    records.cancel_evaluation_v1(uuid, timestamptz)
TO ofrecord_service;
GRANT EXECUTE ON FUNCTION
    records.claim_evaluation_v1(uuid, text, timestamptz, timestamptz),
    records.heartbeat_evaluation_v1(uuid, text, timestamptz, double precision),
    records.release_evaluation_v1(uuid, text, timestamptz, text),
    records.finish_evaluation_v1(uuid, text, timestamptz, text, text, bytea),
    records.evaluations_due_for_redelivery_v1(timestamptz, timestamptz, timestamptz, integer)
TO ofrecord_worker;
GRANT EXECUTE ON FUNCTION records.outcome_evaluation_v1(uuid, uuid) TO ofrecord_service, ofrecord_worker;
