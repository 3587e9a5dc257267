-- Who may call. Tokens are kept as SHA-256 digests, never as they are.

CREATE SCHEMA records;
REVOKE ALL ON SCHEMA records FROM PUBLIC;
GRANT USAGE ON SCHEMA records TO ofrecord_service, ofrecord_worker, ofrecord_auditor;

CREATE TABLE records.token (
    token_id   uuid PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    principal  text NOT NULL CHECK (principal <> ''),
    scopes     text[] NOT NULL CHECK (
        cardinality(scopes) > 0
        AND scopes <@ ARRAY['admin', 'register', 'approve', 'explain', 'read', 'evaluate', 'audit']),
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
REVOKE ALL ON records.token FROM PUBLIC;

CREATE FUNCTION records.issue_token_v1(
    p_token_id uuid, p_digest bytea, p_principal text, p_scopes text[], p_now timestamptz, p_expires_at timestamptz
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO records.token (token_id, digest, principal, scopes, issued_at, expires_at)
    VALUES (p_token_id, p_digest, p_principal, p_scopes, p_now, p_expires_at)
$$;

-- The token of this digest, if it is good at this time; else no row.
CREATE FUNCTION records.find_token_v1(p_digest bytea, p_now timestamptz)
RETURNS TABLE (token_id uuid, digest bytea, principal text, scopes text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT token.token_id, token.digest, token.principal, token.scopes
      FROM records.token
     WHERE token.digest = p_digest
       AND (token.expires_at IS NULL OR token.expires_at > p_now)
       AND (token.revoked_at IS NULL OR token.revoked_at > p_now)
$$;

-- False: there is no such token, or it was revoked before.
CREATE FUNCTION records.revoke_token_v1(p_token_id uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.token SET revoked_at = p_now WHERE token_id = p_token_id AND revoked_at IS NULL;
    RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION
    records.issue_token_v1(uuid, bytea, text, text[], timestamptz, timestamptz),
    records.find_token_v1(bytea, timestamptz),
    records.revoke_token_v1(uuid, timestamptz)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    records.issue_token_v1(uuid, bytea, text, text[], timestamptz, timestamptz),
    records.find_token_v1(bytea, timestamptz),
    records.revoke_token_v1(uuid, timestamptz)
TO ofrecord_service;
