-- Revoking a token is on record: whose it was, only this table knows. The function that this one replaces stays for processes
-- that run an older version during an upgrade.

-- The principal of the token that is revoked now; null: there is no such token, or it was revoked before.
CREATE FUNCTION records.revoke_token_v2(p_token_id uuid, p_now timestamptz) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE records.token SET revoked_at = p_now WHERE token_id = p_token_id AND revoked_at IS NULL RETURNING principal
$$;

REVOKE ALL ON FUNCTION records.revoke_token_v2(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records.revoke_token_v2(uuid, timestamptz) TO ofrecord_service;
