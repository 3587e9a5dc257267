-- name: turn
SELECT records.custody_turn_v1()

-- name: forget_decisions
SELECT records.forget_decisions_v1(%(ids)s::uuid[], %(at)s)

-- name: decisions_of_keys
WITH anchor AS (
    SELECT DISTINCT CASE WHEN decision.type = 'explanation.created' THEN decision.entry_id ELSE entry.entry_id END AS id
      FROM audit.entry entry LEFT JOIN audit.entry decision ON decision.entry_id = entry.about
     WHERE entry.key_id = ANY (%(key_ids)s::uuid[]) AND entry.type <> ALL (%(passed_over)s::text[])
)
SELECT anchor.id, told.canonical
  FROM anchor
  JOIN LATERAL (
        SELECT canonical FROM audit.entry WHERE entry_id = anchor.id
        UNION ALL
        SELECT canonical FROM audit.entry WHERE about = anchor.id AND type = ANY (%(types)s)
       ) AS told ON true
 ORDER BY anchor.id

-- name: decisions_of_month
WITH anchor AS (
    SELECT DISTINCT CASE WHEN decision.type = 'explanation.created' THEN decision.entry_id ELSE entry.entry_id END AS id
      FROM audit.entry entry LEFT JOIN audit.entry decision ON decision.entry_id = entry.about
     WHERE entry.retention_class = %(retention_class)s AND entry.key_id IS NOT NULL
       AND entry.time >= %(month)s::date::timestamp AT TIME ZONE 'UTC'
       AND entry.time < (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'
)
SELECT anchor.id, told.canonical
  FROM anchor
  JOIN LATERAL (
        SELECT canonical FROM audit.entry WHERE entry_id = anchor.id
        UNION ALL
        SELECT canonical FROM audit.entry WHERE about = anchor.id AND type = ANY (%(types)s)
       ) AS told ON true
 ORDER BY anchor.id
