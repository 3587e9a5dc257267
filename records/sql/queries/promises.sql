-- name: promise
-- Not waiting for the disk: what a crash takes away follows from the log again.
SELECT records.promise_evaluations_v1(
    'counterfactual', %(ids)s::uuid[], %(models)s, %(versions)s, %(parameters)s, %(requested_by)s,
    %(explanations)s::uuid[], %(times)s::timestamptz[])
  FROM set_config('synchronous_commit', 'off', true)

-- name: among
SELECT evaluation_id FROM records.evaluation
 WHERE evaluation_id = ANY (%(ids)s::uuid[])
   AND convert_from(parameters, 'UTF8')::jsonb ->> 'explanation_id' = requested_entry_id::text

-- name: take
SELECT records.take_projection_v1('promises')

-- name: stretch
SELECT leaf.index, entry.time,
       CASE WHEN entry.type = 'explanation.created' AND position(%(mark)s IN entry.canonical) > 0
            THEN entry.canonical END
  FROM audit.leaf leaf LEFT JOIN audit.entry entry USING (entry_id)
 WHERE leaf.index >= %(from)s AND leaf.index < %(from)s + %(limit)s
 ORDER BY leaf.index

-- name: advance
SELECT records.advance_projection_v1('promises', %(from)s, %(next)s, %(read_to)s)
