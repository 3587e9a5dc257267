-- The decisions with a review that names another entry's id: of the reviews since that entry, by their type and time.
-- name: naming
SELECT DISTINCT about FROM audit.entry
 WHERE type = 'explanation.reviewed' AND time >= %(since)s AND about <> %(named)s
   AND position(convert_to(%(named)s::uuid::text, 'UTF8') IN canonical) > 0
