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

-- Read at most so many entries of the log, in the order of the tree and from the place reached before; write the decisions
-- among them and the place reached, both or neither. Returns how many entries that were; null: another has the turn.
CREATE FUNCTION records.project_decisions_v1(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_from    bigint;
    v_next    bigint;
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
    ), made AS MATERIALIZED (
        SELECT entry.index, entry.entry_id, entry.time, entry.key_id, body.reason_codes, body.notice_due_at,
               body.counterfactual_evaluation_id,
               body.model, body.version, body.outcome, body.favourable, body.model_outcome, body.action,
               body.counterfactual_status, body.method, body.model_digest, body.manifest_digest, body.reference_digest,
               body.catalogue ->> 'name' AS catalogue_name, body.catalogue ->> 'version' AS catalogue_version,
               body.catalogue ->> 'digest' AS catalogue_digest, body.code_version, body.notice_clock, body.notice_blocked,
               entry.retention_class, entry.told ->> 'actor' AS actor
          FROM entry,
               jsonb_to_record(entry.told -> 'body') AS body (
                   model text, version text, outcome text, favourable boolean, model_outcome text, action text,
                   counterfactual_status text, method text, model_digest text, manifest_digest text,
                   reference_digest text, catalogue jsonb, code_version text, notice_clock text, notice_blocked boolean,
                   reason_codes text[], notice_due_at timestamptz, counterfactual_evaluation_id uuid)
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
    )
    INSERT INTO records.decision
    SELECT index, entry_id, time, setting_id, coalesce(reason_codes, '{}'), notice_due_at, counterfactual_evaluation_id,
           key_id
      FROM placed ORDER BY index;

    UPDATE records.projection
       SET next_index = v_next,
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
    UPDATE records.projection SET next_index = 0, read_to = NULL WHERE name = 'decisions';
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
