-- Notices of adverse decisions and their clocks: a projection of the log, never a truth of its own. Every row can be made
-- again from the clear bytes of the log's entries; nothing here is personal.

-- How far a projection has read: every entry with a smaller index is in it.
CREATE TABLE records.projection (
    name       text PRIMARY KEY,
    next_index bigint NOT NULL DEFAULT 0 CHECK (next_index >= 0),
    read_to    timestamptz -- the time of the last entry read
);
INSERT INTO records.projection (name) VALUES ('notices');

CREATE TABLE records.notice (
    explanation_id    uuid PRIMARY KEY,
    model             text NOT NULL,
    version           text NOT NULL,
    action            text,
    recorded_at       timestamptz NOT NULL,
    clock             text NOT NULL CHECK (clock <> ''),
    due_at            timestamptz,
    blocked           boolean NOT NULL,
    first_rendered_at timestamptz,
    sent_at           timestamptz,
    channel           text,
    template          text,
    response          text,
    response_at       timestamptz,
    next_clock        text, -- the clock that runs out first among those that run; none once all is done
    next_due_at       timestamptz,
    closed_at         timestamptz,
    last_index        bigint NOT NULL, -- the last entry that is in this row
    CHECK ((sent_at IS NULL) = (channel IS NULL) AND (sent_at IS NULL) = (template IS NULL)),
    CHECK ((response IS NULL) = (response_at IS NULL)),
    CHECK ((next_clock IS NULL) = (closed_at IS NOT NULL)),
    CHECK (next_clock IS NOT NULL OR next_due_at IS NULL)
);

-- One for each order in which notices are listed, page by page.
CREATE INDEX notice_recorded ON records.notice (recorded_at, explanation_id);
CREATE INDEX notice_next_due ON records.notice (next_due_at, explanation_id) WHERE next_due_at IS NOT NULL;
CREATE INDEX notice_sent ON records.notice (sent_at, explanation_id) WHERE sent_at IS NOT NULL;
CREATE INDEX notice_undated ON records.notice (recorded_at, explanation_id)
    WHERE next_clock IS NOT NULL AND next_due_at IS NULL;
CREATE INDEX notice_blocked ON records.notice (recorded_at, explanation_id) WHERE blocked AND sent_at IS NULL;

-- Take the turn at a projection until the transaction ends, and learn where it stands. Null: another has the turn.
CREATE FUNCTION records.take_projection_v1(p_name text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT next_index FROM records.projection WHERE name = p_name FOR UPDATE SKIP LOCKED
$$;

-- Write the rows that a stretch of the log leads to, and the place reached: both or neither. What does not follow on the
-- place reached before is refused.
CREATE FUNCTION records.project_notices_v1(
    p_from bigint, p_next bigint, p_read_to timestamptz, p_rows jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.projection SET next_index = p_next, read_to = p_read_to
     WHERE name = 'notices' AND next_index = p_from AND p_next > p_from;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the notices were not read up to %', p_from USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    INSERT INTO records.notice
    SELECT * FROM jsonb_populate_recordset(NULL::records.notice, p_rows)
    ON CONFLICT (explanation_id) DO UPDATE SET
        (model, version, action, recorded_at, clock, due_at, blocked, first_rendered_at, sent_at, channel, template,
         response, response_at, next_clock, next_due_at, closed_at, last_index)
        = ROW (excluded.model, excluded.version, excluded.action, excluded.recorded_at, excluded.clock, excluded.due_at,
               excluded.blocked, excluded.first_rendered_at, excluded.sent_at, excluded.channel, excluded.template,
               excluded.response, excluded.response_at, excluded.next_clock, excluded.next_due_at, excluded.closed_at,
               excluded.last_index);
END
$$;

-- Forget the projection, so that it is made again from the first entry on. For the owner of the database alone.
CREATE FUNCTION records.forget_notices_v1() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.projection SET next_index = 0, read_to = NULL WHERE name = 'notices';
    DELETE FROM records.notice;
END
$$;

REVOKE ALL ON records.projection, records.notice FROM PUBLIC;
GRANT SELECT ON records.projection, records.notice TO ofrecord_service, ofrecord_worker, ofrecord_auditor;
GRANT EXECUTE ON FUNCTION
    records.take_projection_v1(text),
    records.project_notices_v1(bigint, bigint, timestamptz, jsonb)
TO ofrecord_worker;
