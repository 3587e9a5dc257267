-- name: population
SELECT count(*)
  FROM audit.entry
 WHERE type = 'explanation.created' AND time >= %(begin)s AND time < %(end)s
   AND (%(model)s::text IS NULL OR convert_from(canonical, 'UTF8')::jsonb -> 'body' ->> 'model' = %(model)s)

-- name: sample
SELECT entry_id
  FROM audit.entry
 WHERE type = 'explanation.created' AND time >= %(begin)s AND time < %(end)s
   AND (%(model)s::text IS NULL OR convert_from(canonical, 'UTF8')::jsonb -> 'body' ->> 'model' = %(model)s)
 ORDER BY sha256(convert_to(%(seed)s || '/' || entry_id::text, 'UTF8')), entry_id
 LIMIT %(size)s

-- name: told
SELECT canonical
  FROM audit.entry
 WHERE type = %(type)s AND time >= %(begin)s AND time < %(end)s
   AND (%(model)s::text IS NULL OR convert_from(canonical, 'UTF8')::jsonb -> 'body' ->> 'model' = %(model)s)
 ORDER BY time, entry_id
