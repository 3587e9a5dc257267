-- name: project
SELECT records.project_decisions_v1(%(limit)s)

-- name: reached
SELECT projection.next_index, projection.read_to,
       coalesce((SELECT index + 1 FROM audit.leaf ORDER BY index DESC LIMIT 1), 0)
  FROM records.projection WHERE name = 'decisions'

-- name: settings
SELECT setting_id, model, version, outcome, favourable, model_outcome, action, counterfactual_status, method, model_digest,
       manifest_digest, reference_digest, catalogue_name, catalogue_version, catalogue_digest, code_version, notice_clock,
       notice_blocked, retention_class, actor
  FROM records.decision_setting WHERE %(model)s::text IS NULL OR model = %(model)s
 ORDER BY setting_id

-- name: bounds
SELECT min(index), max(index)
  FROM records.decision WHERE recorded_at >= %(start)s AND recorded_at < %(end)s AND index < %(before)s

-- name: rows
SELECT decision.index, decision.explanation_id, decision.recorded_at, decision.setting_id, decision.reason_codes,
       decision.notice_due_at, decision.counterfactual_evaluation_id, decision.key_id,
       (SELECT sent_at FROM records.notice WHERE notice.explanation_id = decision.explanation_id) AS notice_sent_at,
       reviewed.last_review_kind, reviewed.standing_outcome, reviewed.review_entry_id, reviewed.superseded_by
  FROM records.decision JOIN records.decision_setting USING (setting_id)
  LEFT JOIN records.reviewed_v1(%(before)s) AS reviewed USING (explanation_id)
 WHERE index >= %(first)s AND index <= %(last)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY decision.index

-- By setting first: there are few of those, and what a hold on a model covers follows from them.
-- name: kept
WITH counted AS MATERIALIZED (
    SELECT setting_id, date_trunc('month', decision.recorded_at AT TIME ZONE 'UTC')::date AS month,
           count(*) AS decisions,
           count(*) FILTER (WHERE waiting.yes) AS waiting,
           max(decision.recorded_at) AS newest,
           max(CASE WHEN setting.notice_clock IS NULL THEN decision.recorded_at + %(longest)s
                    WHEN NOT waiting.yes THEN greatest(notice.sent_at, notice.closed_at,
                                                        notice.overridden_since + %(longest)s) END) AS newest_notified
      FROM records.decision JOIN records.decision_setting setting USING (setting_id)
      LEFT JOIN records.notice USING (explanation_id),
           LATERAL (SELECT setting.notice_clock IS NOT NULL
                           AND (notice.explanation_id IS NULL OR notice.next_clock IS NOT NULL) AS yes) AS waiting
     WHERE decision.index < %(before)s
     GROUP BY 1, 2
), kept AS (
    SELECT setting.retention_class, counted.month, sum(counted.decisions)::bigint AS decisions,
           sum(counted.waiting)::bigint AS waiting, max(counted.newest) AS newest,
           max(counted.newest_notified) AS newest_notified, array_agg(setting_id) AS setting_ids
      FROM counted JOIN records.decision_setting setting USING (setting_id)
     GROUP BY 1, 2
)
SELECT kept.retention_class, to_char(kept.month, 'YYYY-MM') AS month, kept.decisions, kept.waiting, kept.newest,
       kept.newest_notified, expiry.expired_at,
       EXISTS (
           SELECT FROM records.hold
            WHERE released_at IS NULL
              AND (kind IN ('everything', 'subject')
                   OR (kind = 'model' AND EXISTS (
                           SELECT FROM records.decision_setting setting
                            WHERE setting_id = ANY (kept.setting_ids) AND setting.model = hold.model
                              AND (hold.version IS NULL OR setting.version = hold.version)))
                   OR (kind = 'explanation' AND EXISTS (
                           SELECT FROM records.decision
                            WHERE decision.explanation_id = hold.explanation_id
                              AND setting_id = ANY (kept.setting_ids)
                              AND date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date = kept.month)))
       ) AS may_be_held
  FROM kept LEFT JOIN records.expiry USING (retention_class, month)
 ORDER BY 1, 2

-- Finished lines, a thousand places of the tree at a time. What many rows have in common comes as text from the caller, in
-- two pieces; the rest is numbers, ids, times and codes, written here as the caller's own writer would. A notice is looked up
-- for each row, by its key: joined, every page could read all notices there are.
-- name: lines_csv
WITH setting AS MATERIALIZED (
    SELECT * FROM unnest(%(settings)b::uuid[], %(heads)b::text[], %(tails)b::text[]) AS given (setting_id, head, tail)
), reviewed AS MATERIALIZED (
    SELECT * FROM records.reviewed_v1(%(before)s)
)
SELECT page.rows, page.lines
  FROM generate_series(%(first)s::bigint, %(last)s::bigint, 1000) AS begin,
       LATERAL (
           SELECT count(*) AS rows,
                  convert_to(string_agg(
                      decision.index || ',' || decision.explanation_id || ','
                      || to_char(decision.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z",')
                      || setting.head
                      || CASE WHEN decision.reason_codes = '{}' THEN ','
                              ELSE CASE WHEN left(decision.reason_codes[1], 1) = ANY (%(risky)s) THEN '"''' ELSE '"' END
                                   || replace(array_to_string(decision.reason_codes, ' '), '"', '""') || '",' END
                      || setting.tail
                      || coalesce(to_char(decision.notice_due_at AT TIME ZONE 'UTC',
                                          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')
                      || ',' || coalesce(decision.counterfactual_evaluation_id::text, '')
                      || ',' || coalesce(decision.key_id::text, '')
                      || ',' || coalesce((SELECT to_char(sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                                            FROM records.notice
                                           WHERE notice.explanation_id = decision.explanation_id), '')
                      || ',' || coalesce('"' || reviewed.last_review_kind || '"', '')
                      || ',' || coalesce(CASE WHEN left(reviewed.standing_outcome, 1) = ANY (%(risky)s) THEN '"''' ELSE '"' END
                                         || replace(reviewed.standing_outcome, '"', '""') || '"', '')
                      || ',' || coalesce(reviewed.review_entry_id::text, '')
                      || ',' || coalesce(reviewed.superseded_by::text, '') || E'\r\n',
                      '' ORDER BY decision.index), 'UTF8') AS lines
             FROM records.decision JOIN setting USING (setting_id) LEFT JOIN reviewed USING (explanation_id)
            WHERE decision.index >= begin AND decision.index < least(begin + 1000, %(last)s::bigint + 1)
              AND decision.recorded_at >= %(start)s AND decision.recorded_at < %(end)s
       ) AS page
 WHERE page.rows > 0

-- name: lines_json
WITH setting AS MATERIALIZED (
    SELECT * FROM unnest(%(settings)b::uuid[], %(heads)b::text[], %(tails)b::text[]) AS given (setting_id, head, tail)
), reviewed AS MATERIALIZED (
    SELECT * FROM records.reviewed_v1(%(before)s)
)
SELECT page.rows, page.lines
  FROM generate_series(%(first)s::bigint, %(last)s::bigint, 1000) AS begin,
       LATERAL (
           SELECT count(*) AS rows,
                  convert_to(string_agg(
                      '{"index":' || decision.index || ',"explanation_id":"' || decision.explanation_id
                      || to_char(decision.recorded_at AT TIME ZONE 'UTC',
                                 '"\",\"recorded_at\":\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\","')
                      || setting.head || ',"reason_codes":' || array_to_json(decision.reason_codes) || ','
                      || setting.tail || ',"notice_due_at":'
                      || coalesce(to_char(decision.notice_due_at AT TIME ZONE 'UTC',
                                          '"\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\""'), 'null')
                      || ',"counterfactual_evaluation_id":'
                      || coalesce('"' || decision.counterfactual_evaluation_id || '"', 'null')
                      || ',"key_id":' || coalesce('"' || decision.key_id || '"', 'null')
                      || ',"notice_sent_at":'
                      || coalesce((SELECT to_char(sent_at AT TIME ZONE 'UTC', '"\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\""')
                                     FROM records.notice
                                    WHERE notice.explanation_id = decision.explanation_id), 'null')
                      || ',"last_review_kind":' || coalesce('"' || reviewed.last_review_kind || '"', 'null')
                      || ',"standing_outcome":' || coalesce(to_json(reviewed.standing_outcome)::text, 'null')
                      || ',"review_entry_id":' || coalesce('"' || reviewed.review_entry_id || '"', 'null')
                      || ',"superseded_by":' || coalesce('"' || reviewed.superseded_by || '"', 'null') || '}',
                      E',\n' ORDER BY decision.index), 'UTF8') AS lines
             FROM records.decision JOIN setting USING (setting_id) LEFT JOIN reviewed USING (explanation_id)
            WHERE decision.index >= begin AND decision.index < least(begin + 1000, %(last)s::bigint + 1)
              AND decision.recorded_at >= %(start)s AND decision.recorded_at < %(end)s
       ) AS page
 WHERE page.rows > 0
