-- Entries of the tree by type and time, each with the model of the decision that it is about, where there is one.
-- name: between
SELECT leaf.index, entry.canonical, leaf.leaf_hash, setting.model, setting.version
  FROM audit.entry entry
  JOIN audit.leaf leaf USING (entry_id)
  LEFT JOIN records.decision decision ON decision.explanation_id = entry.about
  LEFT JOIN records.decision_setting setting USING (setting_id)
 WHERE entry.type = ANY (%(types)s) AND entry.time >= %(start)s AND entry.time < %(end)s
   AND leaf.index < %(before)s
   AND (%(about)s::uuid IS NULL OR entry.about = %(about)s)
 ORDER BY leaf.index

-- Everything about one entry, and itself, as far as it is in the tree.
-- name: concerning
SELECT leaf.index, entry.canonical, leaf.leaf_hash, NULL, NULL
  FROM audit.entry entry JOIN audit.leaf leaf USING (entry_id)
 WHERE (entry.entry_id = %(entry_id)s OR entry.about = %(entry_id)s) AND leaf.index < %(before)s
 ORDER BY leaf.index

-- name: first_time
SELECT entry.time FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id) WHERE leaf.index = 0 AND %(before)s > 0

-- name: newest_pull
SELECT leaf.index, entry.canonical, leaf.leaf_hash, NULL, NULL
  FROM audit.entry entry JOIN audit.leaf leaf USING (entry_id)
 WHERE entry.type = 'report.pulled' AND leaf.index < %(before)s
   AND convert_from(entry.canonical, 'UTF8')::jsonb -> 'body' ->> 'report' = %(report)s
 ORDER BY entry.time DESC, leaf.index DESC LIMIT 1

-- name: one_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY

-- name: limit_statements
SELECT set_config('statement_timeout', %(milliseconds)s, true)
