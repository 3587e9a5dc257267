-- Steps of the service: holds and requests of erasures. A row is written only behind the entry that says the same, which
-- the same transaction has appended; whoever may call these cannot make one without leaving a trace in the log.

-- Raise unless this entry is in the log, is of this type and says at least this, of a scope exactly this: no row follows
-- from anything else.
CREATE FUNCTION records.require_entry_v1(p_entry_id uuid, p_type text, p_told jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_told jsonb := jsonb_strip_nulls(p_told);
    v_body jsonb;
BEGIN
    SELECT jsonb_strip_nulls(convert_from(canonical, 'UTF8')::jsonb -> 'body') INTO v_body
      FROM audit.entry WHERE entry_id = p_entry_id AND type = p_type;
    IF (v_body @> v_told AND (v_told -> 'scope' IS NULL OR v_told -> 'scope' = v_body -> 'scope')) IS NOT TRUE THEN
        RAISE EXCEPTION 'no entry % of the log says this', p_type USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

CREATE FUNCTION records.place_hold_v1(
    p_hold_id uuid, p_kind text, p_subject_key_id uuid, p_explanation_id uuid, p_model text, p_version text,
    p_at timestamptz, p_by text, p_entry_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM records.require_entry_v1(p_entry_id, 'hold.placed', jsonb_build_object(
        'hold_id', p_hold_id,
        'scope', jsonb_build_object('kind', p_kind, 'subject_key_id', p_subject_key_id, 'explanation_id', p_explanation_id,
                                    'model', p_model, 'version', p_version)));
    INSERT INTO records.hold (hold_id, kind, subject_key_id, explanation_id, model, version, placed_at, placed_by, placed_entry_id)
    VALUES (p_hold_id, p_kind, p_subject_key_id, p_explanation_id, p_model, p_version, p_at, p_by, p_entry_id);
END
$$;

CREATE FUNCTION records.release_hold_v1(p_hold_id uuid, p_at timestamptz, p_by text, p_entry_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM records.require_entry_v1(p_entry_id, 'hold.released', jsonb_build_object('hold_id', p_hold_id));
    UPDATE records.hold SET released_at = p_at, released_by = p_by, released_entry_id = p_entry_id
     WHERE hold_id = p_hold_id AND released_at IS NULL;
END
$$;

CREATE FUNCTION records.request_erasure_v1(
    p_erasure_id uuid, p_subject_key_id uuid, p_request_key bytea, p_basis text, p_at timestamptz, p_by text,
    p_entry_id uuid, p_effective_at timestamptz, p_ground text, p_retained_until timestamptz, p_hold_ids uuid[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM records.require_entry_v1(
        p_entry_id, CASE WHEN p_ground IS NULL THEN 'erasure.requested' ELSE 'erasure.refused' END,
        jsonb_build_object(
            'erasure_id', p_erasure_id, 'subject_key_id', p_subject_key_id, 'ground', p_ground,
            'effective_at', CASE WHEN p_ground IS NULL THEN
                to_char(p_effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END));
    INSERT INTO records.erasure (erasure_id, subject_key_id, request_key, basis, requested_at, requested_by,
                                 requested_entry_id, effective_at, refused, ground, retained_until, hold_ids)
    VALUES (p_erasure_id, p_subject_key_id, p_request_key, p_basis, p_at, p_by,
            p_entry_id, p_effective_at, p_ground IS NOT NULL, p_ground, p_retained_until, p_hold_ids);
END
$$;

GRANT EXECUTE ON FUNCTION
    records.place_hold_v1(uuid, text, uuid, uuid, text, text, timestamptz, text, uuid),
    records.release_hold_v1(uuid, timestamptz, text, uuid),
    records.request_erasure_v1(uuid, uuid, bytea, text, timestamptz, text, uuid, timestamptz, text, timestamptz, uuid[])
TO ofrecord_service;
