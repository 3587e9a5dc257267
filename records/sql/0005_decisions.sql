-- Decisions as reports list them: a projection of the log, one row for each explanation, approvals too. Every row can be
-- made again from the clear bytes of the log's entries; nothing here is personal, so an erasure takes nothing away.

-- What many decisions have in common, stored once: a decision's own row is then small. `setting_id` is the beginning of the
-- SHA-256 digest of all of it, so that the same setting has the same id whoever projects it, and in whatever order.
CREATE TABLE records.decision_setting (
    setting_id            uuid PRIMARY KEY,
    model                 text,
    version               text,
    outcome               text,
    favourable            boolean,
    model_outcome         text, -- the model's own, where other components took part in the decision
    action                text,
    counterfactual_status text,
    method                text,
    model_digest          text,
    manifest_digest       text,
    reference_digest      text,
    catalogue_name        text,
    catalogue_version     text,
    catalogue_digest      text,
    code_version          text,
    notice_clock          text,
    notice_blocked        boolean,
    retention_class       text NOT NULL,
    actor                 text NOT NULL
);

CREATE TABLE records.decision (
    index                        bigint PRIMARY KEY, -- its place in the tree
    explanation_id               uuid NOT NULL UNIQUE,
    recorded_at                  timestamptz NOT NULL,
    setting_id                   uuid NOT NULL, -- no foreign key: one function writes both, and a check for each row is dear
    reason_codes                 text[] NOT NULL,
    notice_due_at                timestamptz,
    counterfactual_evaluation_id uuid,
    key_id                       uuid
);
CREATE INDEX decision_recorded ON records.decision (recorded_at, index);

INSERT INTO records.projection (name) VALUES ('decisions');

-- How many of the entries read had a value of another kind than ours have: whoever may append can write what he likes into
-- a body, and must not stop the projection with it. Such a value is left out.
ALTER TABLE records.projection ADD COLUMN odd_entries bigint NOT NULL DEFAULT 0;

-- Read at most so many entries of the log, in the order of the tree and from the place reached before; write the decisions
-- among them and the place reached, both or neither. Returns how many entries that were; null: another has the turn.
CREATE FUNCTION records.project_decisions_v1(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_from    bigint;
    v_next    bigint;
    v_odd     bigint;
BEGIN
    SELECT next_index INTO v_from FROM records.projection WHERE name = 'decisions' FOR UPDATE SKIP LOCKED;
    IF v_from IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT max(index) + 1 INTO v_next FROM audit.leaf WHERE index >= v_from AND index < v_from + p_limit;
    IF v_next IS NULL THEN
        RETURN 0;
    END IF;

    WITH entry AS MATERIALIZED (
        SELECT leaf.index, entry.entry_id, entry.time, entry.key_id, entry.retention_class,
               convert_from(entry.canonical, 'UTF8')::jsonb AS told
          FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id)
         WHERE leaf.index >= v_from AND leaf.index < v_next AND entry.type = 'explanation.created'
    ), given AS MATERIALIZED (
        SELECT entry.index, entry.entry_id, entry.time, entry.key_id, entry.retention_class,
               entry.told ->> 'actor' AS actor, body.*,
               jsonb_typeof(reason_codes) = 'array'
                   AND NOT jsonb_path_exists(reason_codes, 'strict $[*] ? (@.type() != "string")', '{}', true) AS has_codes,
               jsonb_typeof(favourable) = 'boolean' AS has_favourable,
               jsonb_typeof(notice_blocked) = 'boolean' AS has_blocked,
               notice_due_at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$'
                   AND pg_input_is_valid(notice_due_at, 'timestamptz') AS has_due,
               pg_input_is_valid(counterfactual_evaluation_id, 'uuid') AS has_evaluation
          FROM entry,
               jsonb_to_record(CASE WHEN jsonb_typeof(entry.told -> 'body') = 'object'
                                    THEN entry.told -> 'body' ELSE '{}' END) AS body (
                   model text, version text, outcome text, favourable jsonb, model_outcome text, action text,
                   counterfactual_status text, method text, model_digest text, manifest_digest text,
                   reference_digest text, catalogue jsonb, code_version text, notice_clock text, notice_blocked jsonb,
                   reason_codes jsonb, notice_due_at text, counterfactual_evaluation_id text)
    ), made AS MATERIALIZED (
        SELECT index, entry_id, time, key_id, retention_class, actor,
               CASE WHEN has_codes THEN ARRAY(SELECT jsonb_array_elements_text(reason_codes)) END AS reason_codes,
               CASE WHEN has_due THEN notice_due_at::timestamptz END AS notice_due_at,
               CASE WHEN has_evaluation THEN counterfactual_evaluation_id::uuid END AS counterfactual_evaluation_id,
               model, version, outcome, CASE WHEN has_favourable THEN favourable::boolean END AS favourable,
               model_outcome, action, counterfactual_status, method, model_digest, manifest_digest, reference_digest,
               catalogue ->> 'name' AS catalogue_name, catalogue ->> 'version' AS catalogue_version,
               catalogue ->> 'digest' AS catalogue_digest, code_version, notice_clock,
               CASE WHEN has_blocked THEN notice_blocked::boolean END AS notice_blocked,
               NOT (coalesce(has_codes OR jsonb_typeof(reason_codes) = 'null', true)
                    AND coalesce(has_favourable OR jsonb_typeof(favourable) = 'null', true)
                    AND coalesce(has_blocked OR jsonb_typeof(notice_blocked) = 'null', true)
                    AND coalesce(has_due, true) AND coalesce(has_evaluation, true)
                    AND coalesce(jsonb_typeof(catalogue) IN ('object', 'null'), true)) AS odd
          FROM given
    ), placed AS MATERIALIZED (
        SELECT made.*,
               encode(substr(sha256(convert_to(
                   ROW (model, version, outcome, favourable, model_outcome, action, counterfactual_status, method,
                        model_digest, manifest_digest, reference_digest, catalogue_name, catalogue_version,
                        catalogue_digest, code_version, notice_clock, notice_blocked, retention_class, actor)::text,
                   'UTF8')), 1, 16), 'hex')::uuid AS setting_id
          FROM made
    ), setting AS (
        INSERT INTO records.decision_setting
        SELECT DISTINCT ON (setting_id)
               setting_id, model, version, outcome, favourable, model_outcome, action, counterfactual_status, method,
               model_digest, manifest_digest, reference_digest, catalogue_name, catalogue_version, catalogue_digest,
               code_version, notice_clock, notice_blocked, retention_class, actor
          FROM placed
            ON CONFLICT (setting_id) DO NOTHING
    ), decided AS (
        INSERT INTO records.decision
        SELECT index, entry_id, time, setting_id, coalesce(reason_codes, '{}'), notice_due_at, counterfactual_evaluation_id,
               key_id
          FROM placed ORDER BY index
    )
    SELECT count(*) FILTER (WHERE odd) INTO v_odd FROM placed;

    UPDATE records.projection
       SET next_index = v_next, odd_entries = odd_entries + v_odd,
           read_to = coalesce((SELECT entry.time FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id)
                                WHERE leaf.index = v_next - 1), read_to)
     WHERE name = 'decisions';
    RETURN v_next - v_from;
END
$$;

-- Forget the projection, so that it is made again from the first entry on. For the owner of the database alone.
CREATE FUNCTION records.forget_decisions_v1() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE records.projection SET next_index = 0, read_to = NULL, odd_entries = 0 WHERE name = 'decisions';
    TRUNCATE records.decision, records.decision_setting;
END
$$;

-- What people said about decisions after they were made, as far as the entries before a place of the tree say: of the
-- last review its kind and entry; the outcome that the last override or correction set, null where the decision's own
-- stands; the explanation that took its place, whichever of the two the review is about.
CREATE FUNCTION records.reviewed_v1(p_before bigint)
RETURNS TABLE (explanation_id uuid, last_review_kind text, standing_outcome text, review_entry_id uuid, superseded_by uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH said AS MATERIALIZED (
        SELECT entry.entry_id, entry.about, entry.time, body.*
          FROM audit.entry entry JOIN audit.leaf leaf USING (entry_id),
               jsonb_to_record(convert_from(entry.canonical, 'UTF8')::jsonb -> 'body') AS body (
                   kind text, outcome text, supersedes uuid, superseded_by uuid)
         WHERE entry.type = 'explanation.reviewed' AND leaf.index < p_before
    ), review AS (
        SELECT about AS explanation_id,
               (array_agg(kind ORDER BY time DESC, entry_id DESC))[1] AS last_review_kind,
               (array_agg(outcome ORDER BY time DESC, entry_id DESC)
                    FILTER (WHERE kind IN ('overridden', 'corrected') AND outcome IS NOT NULL))[1] AS standing_outcome,
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

REVOKE ALL ON records.decision, records.decision_setting FROM PUBLIC;
GRANT SELECT ON records.decision, records.decision_setting TO ofrecord_service, ofrecord_worker, ofrecord_auditor;
REVOKE ALL ON FUNCTION records.project_decisions_v1(integer), records.forget_decisions_v1(), records.reviewed_v1(bigint)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records.project_decisions_v1(integer) TO ofrecord_worker;
GRANT EXECUTE ON FUNCTION records.reviewed_v1(bigint) TO ofrecord_service, ofrecord_auditor;
