-- name: take
SELECT records.take_projection_v1('notices')

-- name: stretch
SELECT leaf.index, entry.time,
       CASE entry.type WHEN 'explanation.created' THEN entry.entry_id ELSE entry.about END,
       entry.type = ANY (%(types)s)
  FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id)
 WHERE leaf.index >= %(from)s AND leaf.index < %(from)s + %(limit)s
 ORDER BY leaf.index

-- name: histories
SELECT touched.id, leaf.index, entry.canonical
  FROM unnest(%(ids)s::uuid[]) AS touched (id)
  JOIN LATERAL (
        SELECT entry_id, canonical FROM audit.entry WHERE entry_id = touched.id
        UNION ALL
        SELECT entry_id, canonical FROM audit.entry WHERE about = touched.id AND type = ANY (%(types)s)
       ) AS entry ON true
  JOIN audit.leaf leaf ON leaf.entry_id = entry.entry_id
 WHERE leaf.index < %(next)s
 ORDER BY touched.id, leaf.index

-- name: project
SELECT records.project_notices_v2(%(from)s, %(next)s, %(read_to)s, %(rows)s)

-- name: history
SELECT canonical FROM audit.entry WHERE entry_id = %(explanation_id)s
UNION ALL
SELECT canonical FROM audit.entry WHERE about = %(explanation_id)s AND type = ANY (%(types)s)

-- name: as_of
SELECT projection.next_index, projection.read_to,
       coalesce((SELECT index + 1 FROM audit.leaf ORDER BY index DESC LIMIT 1), 0)
  FROM records.projection WHERE name = 'notices'

-- name: list_all
SELECT * FROM records.notice
 WHERE (recorded_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY recorded_at, explanation_id LIMIT %(limit)s

-- name: list_overdue
SELECT * FROM records.notice
 WHERE next_due_at < %(now)s
   AND (next_due_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY next_due_at, explanation_id LIMIT %(limit)s

-- name: list_due
SELECT * FROM records.notice
 WHERE next_due_at >= %(now)s
   AND (next_due_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY next_due_at, explanation_id LIMIT %(limit)s

-- name: list_sent
SELECT * FROM records.notice
 WHERE sent_at IS NOT NULL
   AND (sent_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY sent_at, explanation_id LIMIT %(limit)s

-- name: list_undated
SELECT * FROM records.notice
 WHERE next_clock IS NOT NULL AND next_due_at IS NULL
   AND (recorded_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY recorded_at, explanation_id LIMIT %(limit)s

-- name: list_blocked
SELECT * FROM records.notice
 WHERE blocked AND sent_at IS NULL AND next_clock IS NOT NULL
   AND (recorded_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY recorded_at, explanation_id LIMIT %(limit)s

-- name: list_overridden
SELECT * FROM records.notice
 WHERE overridden_at IS NOT NULL
   AND (overridden_at, explanation_id) > (%(after_at)s, %(after_id)s)
   AND (%(model)s::text IS NULL OR model = %(model)s)
 ORDER BY overridden_at, explanation_id LIMIT %(limit)s

-- name: behind
SELECT greatest(coalesce((SELECT max(index) + 1 FROM audit.leaf), 0) - projection.next_index, 0),
       (SELECT entry.time FROM audit.leaf leaf JOIN audit.entry entry USING (entry_id)
         WHERE leaf.index = projection.next_index)
  FROM records.projection WHERE name = 'notices'

-- name: count_overdue
SELECT count(*) FROM records.notice WHERE next_due_at < %(now)s
