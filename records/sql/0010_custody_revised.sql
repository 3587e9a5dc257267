-- The custodian's turn is a row, which no role reaches but through the function that locks it. An advisory lock has no owner:
-- whoever was let into the database, if only to read, could hold it, and with it every erasure, hold and expiry.

CREATE TABLE records.custody_turn (
    turn boolean PRIMARY KEY CHECK (turn)
);
INSERT INTO records.custody_turn (turn) VALUES (true);
REVOKE ALL ON records.custody_turn FROM PUBLIC;

-- Replaced where it stands, so that processes of an older version, which run on during an upgrade, take turns with the new
-- ones. Without its row there are no turns, and so nobody goes on without one.
CREATE OR REPLACE FUNCTION records.custody_turn_v1() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM records.custody_turn FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the row of the turn is missing' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION records.custody_turn_v1() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records.custody_turn_v1() TO ofrecord_service, ofrecord_custodian;

-- Bring an erasure forward that is scheduled and has not begun, behind an entry that supersedes the one it followed from.
-- Its time is never later than it was: nobody can put off what a person was promised.
CREATE FUNCTION records.bring_forward_erasure_v1(
    p_erasure_id uuid, p_request_key bytea, p_basis text, p_entry_id uuid, p_effective_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_known records.erasure;
BEGIN
    SELECT * INTO v_known FROM records.erasure
     WHERE erasure_id = p_erasure_id AND NOT refused AND started_at IS NULL AND destroyed_at IS NULL
       AND effective_at > p_effective_at FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no erasure % can be brought forward to then', p_erasure_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM records.require_entry_v1(
        p_entry_id, 'erasure.requested', jsonb_build_object(
            'erasure_id', p_erasure_id, 'subject_key_id', v_known.subject_key_id, 'basis', p_basis,
            'supersedes', v_known.requested_entry_id,
            'effective_at', to_char(p_effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
    UPDATE records.erasure
       SET request_key = p_request_key, basis = p_basis, requested_entry_id = p_entry_id, effective_at = p_effective_at
     WHERE erasure_id = p_erasure_id;
END
$$;

REVOKE ALL ON FUNCTION records.bring_forward_erasure_v1(uuid, bytea, text, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records.bring_forward_erasure_v1(uuid, bytea, text, uuid, timestamptz) TO ofrecord_service;
