-- Promised evaluations: an explanation that was answered without its counterfactuals names, in its own entry, the
-- evaluation that will finish them. The entry is the promise and the request at once; these rows only follow from it, and
-- whoever comes first inserts them: the service after its commit, or the projection below after a crash.

CREATE FUNCTION records.promise_evaluations_v1(
    p_kind text, p_evaluation_ids uuid[], p_models text[], p_versions text[], p_parameters bytea[],
    p_requested_by text[], p_requested_entry_ids uuid[], p_requested_at timestamptz[]
) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO records.evaluation
        (evaluation_id, kind, model, version, parameters, requested_by, requested_entry_id, requested_at, sent_at)
    SELECT evaluation_id, p_kind, model, version, parameters, requested_by, requested_entry_id, at, at
      FROM unnest(p_evaluation_ids, p_models, p_versions, p_parameters, p_requested_by, p_requested_entry_ids,
                  p_requested_at)
        AS promised (evaluation_id, model, version, parameters, requested_by, requested_entry_id, at)
     ORDER BY evaluation_id -- in one order, so that two who insert the same never wait for each other
        ON CONFLICT (evaluation_id) DO NOTHING
    RETURNING evaluation_id
$$;

-- No entry made before this had a promise: the log is read from its present end on.
INSERT INTO records.projection (name, next_index)
SELECT 'promises', coalesce(max(index) + 1, 0) FROM audit.leaf;

-- Note the place that a projection has reached, in the transaction that wrote what lies before it.
CREATE FUNCTION records.advance_projection_v1(
    p_name text, p_from bigint, p_next bigint, p_read_to timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.projection SET next_index = p_next, read_to = coalesce(p_read_to, read_to)
     WHERE name = p_name AND next_index = p_from AND p_next > p_from;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% was not read up to %', p_name, p_from USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION
    records.promise_evaluations_v1(text, uuid[], text[], text[], bytea[], text[], uuid[], timestamptz[]),
    records.advance_projection_v1(text, bigint, bigint, timestamptz)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    records.promise_evaluations_v1(text, uuid[], text[], text[], bytea[], text[], uuid[], timestamptz[])
TO ofrecord_service, ofrecord_worker;
GRANT EXECUTE ON FUNCTION records.advance_projection_v1(text, bigint, bigint, timestamptz) TO ofrecord_worker;
