-- An erasure settles before it destroys: what was under way when it began has been written by then, and is looked at like
-- all the rest. `unwritten` are the keys under which nothing was in the log yet; `started_at` begins anew when there are
-- others. Until the key is destroyed a hold still stops it.

ALTER TABLE records.erasure ADD COLUMN unwritten uuid[] NOT NULL DEFAULT '{}';

CREATE FUNCTION records.settle_erasure_v1(p_erasure_id uuid, p_at timestamptz, p_unwritten uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.erasure
       SET started_at = p_at, unwritten = p_unwritten, held_at = NULL, ground = NULL, retained_until = NULL, hold_ids = '{}'
     WHERE erasure_id = p_erasure_id AND NOT refused AND destroyed_at IS NULL
$$;

CREATE FUNCTION records.hold_up_erasure_v1(
    p_erasure_id uuid, p_at timestamptz, p_ground text, p_retained_until timestamptz, p_hold_ids uuid[]
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.erasure
       SET held_at = p_at, started_at = NULL, ground = p_ground, retained_until = p_retained_until, hold_ids = p_hold_ids
     WHERE erasure_id = p_erasure_id AND NOT refused AND destroyed_at IS NULL
$$;

REVOKE ALL ON FUNCTION
    records.settle_erasure_v1(uuid, timestamptz, uuid[]),
    records.hold_up_erasure_v1(uuid, timestamptz, text, timestamptz, uuid[])
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    records.settle_erasure_v1(uuid, timestamptz, uuid[]),
    records.hold_up_erasure_v1(uuid, timestamptz, text, timestamptz, uuid[])
TO ofrecord_custodian;
