-- A decision that a person overrode: its notice says so, and its clock ends where that was before it ran out. And one reading of
-- reviews for the register and for the service: what was superseded does not count, a request for a review is none.

ALTER TABLE records.notice
    ADD COLUMN overridden_to    text, -- the outcome that holds, where the decision no longer does
    ADD COLUMN overridden_by    uuid, -- the review that says so
    ADD COLUMN overridden_kind  text,
    ADD COLUMN overridden_at    timestamptz,
    ADD COLUMN overridden_since timestamptz, -- from when on the decision has not held, without a break
    ADD COLUMN superseded_by    uuid, -- the explanation of the decision made again, where that review names one
    ADD CHECK ((overridden_to IS NULL) = (overridden_by IS NULL)
               AND (overridden_to IS NULL) = (overridden_kind IS NULL)
               AND (overridden_to IS NULL) = (overridden_at IS NULL)
               AND (overridden_to IS NULL) = (overridden_since IS NULL)
               AND (superseded_by IS NULL OR overridden_to IS NOT NULL));

CREATE INDEX notice_overridden ON records.notice (overridden_at, explanation_id) WHERE overridden_at IS NOT NULL;

-- The function before it would leave out what is new here: who still calls that one is told, and falls behind visibly.
DROP FUNCTION records.project_notices_v1(bigint, bigint, timestamptz, jsonb);

-- Write the rows that a stretch of the log leads to, and the place reached: both or neither. What does not follow on the
-- place reached before is refused.
CREATE FUNCTION records.project_notices_v2(
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
         response, response_at, next_clock, next_due_at, closed_at, last_index, overridden_to, overridden_by,
         overridden_kind, overridden_at, overridden_since, superseded_by)
        = ROW (excluded.model, excluded.version, excluded.action, excluded.recorded_at, excluded.clock, excluded.due_at,
               excluded.blocked, excluded.first_rendered_at, excluded.sent_at, excluded.channel, excluded.template,
               excluded.response, excluded.response_at, excluded.next_clock, excluded.next_due_at, excluded.closed_at,
               excluded.last_index, excluded.overridden_to, excluded.overridden_by, excluded.overridden_kind,
               excluded.overridden_at, excluded.overridden_since, excluded.superseded_by);
END
$$;
REVOKE ALL ON FUNCTION records.project_notices_v2(bigint, bigint, timestamptz, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records.project_notices_v2(bigint, bigint, timestamptz, jsonb) TO ofrecord_worker;

-- What was read before did not know reviews: the log is read again from the first one on.
WITH first AS (
    SELECT min(leaf.index) AS index
      FROM audit.entry entry JOIN audit.leaf leaf USING (entry_id) WHERE entry.type = 'explanation.reviewed'
)
UPDATE records.projection
   SET next_index = first.index,
       read_to = (SELECT entry.time FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id)
                   WHERE leaf.index = first.index - 1)
  FROM first
 WHERE name = 'notices' AND next_index > first.index;

-- What people said about decisions after they were made, as far as the entries before a place of the tree say: of the
-- last review that counts its kind and entry; the outcome that the last one names which names any, null where the decision's
-- own stands; the explanation that took its place, whichever of the two the review is about. A pointer that is no id names
-- nothing: whoever may append can write what he likes into a body, and must not stop a report with it.
CREATE OR REPLACE FUNCTION records.reviewed_v1(p_before bigint)
RETURNS TABLE (explanation_id uuid, last_review_kind text, standing_outcome text, review_entry_id uuid, superseded_by uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH told AS MATERIALIZED (
        SELECT entry.entry_id, entry.about, entry.time, body.kind, body.outcome,
               CASE WHEN pg_input_is_valid(body.supersedes, 'uuid') THEN body.supersedes::uuid END AS supersedes,
               CASE WHEN pg_input_is_valid(body.superseded_by, 'uuid') THEN body.superseded_by::uuid END AS superseded_by
          FROM audit.entry entry JOIN audit.leaf leaf USING (entry_id),
               jsonb_to_record(convert_from(entry.canonical, 'UTF8')::jsonb -> 'body') AS body (
                   kind text, outcome text, supersedes text, superseded_by text)
         WHERE entry.type = 'explanation.reviewed' AND leaf.index < p_before
               AND body.kind IN ('reviewed', 'overridden', 'corrected')
    ), said AS MATERIALIZED (
        SELECT * FROM told
         WHERE NOT EXISTS (SELECT FROM told AS later WHERE later.about = told.about AND later.supersedes = told.entry_id)
    ), review AS (
        SELECT about AS explanation_id,
               (array_agg(kind ORDER BY time DESC, entry_id DESC))[1] AS last_review_kind,
               (array_agg(outcome ORDER BY time DESC, entry_id DESC) FILTER (WHERE outcome IS NOT NULL))[1]
                   AS standing_outcome,
               (array_agg(entry_id ORDER BY time DESC, entry_id DESC))[1] AS review_entry_id
          FROM said GROUP BY 1
    ), successor AS (
        SELECT former AS explanation_id, (array_agg(latter ORDER BY time DESC, entry_id DESC))[1] AS superseded_by
          FROM (SELECT about AS former, superseded_by AS latter, time, entry_id FROM said
                UNION ALL SELECT supersedes, about, time, entry_id FROM said) AS pair
         WHERE former IS NOT NULL AND latter IS NOT NULL
         GROUP BY 1
    )
    SELECT explanation_id, last_review_kind, standing_outcome, review_entry_id, superseded_by
      FROM review FULL JOIN successor USING (explanation_id)
$$;
