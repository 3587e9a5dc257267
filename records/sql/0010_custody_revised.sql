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
