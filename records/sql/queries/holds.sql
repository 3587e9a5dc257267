-- name: place
SELECT records.place_hold_v1(%(hold_id)s, %(kind)s, %(subject_key_id)s, %(explanation_id)s, %(model)s, %(version)s,
                             %(at)s, %(by)s, %(entry_id)s)

-- name: release
SELECT records.release_hold_v1(%(hold_id)s, %(at)s, %(by)s, %(entry_id)s)

-- name: read
SELECT * FROM records.hold WHERE hold_id = %(hold_id)s

-- name: list
SELECT * FROM records.hold
 WHERE hold_id > %(after)s AND (%(active)s::boolean IS NULL OR (released_at IS NULL) = %(active)s)
 ORDER BY hold_id LIMIT %(limit)s

-- name: between
SELECT * FROM records.hold
 WHERE placed_at < %(until)s AND (released_at IS NULL OR released_at >= %(since)s)
 ORDER BY hold_id

-- Those that stood at a moment, as far as the entries before a place of the tree say.
-- name: standing
SELECT placed.index, hold.*
  FROM records.hold
  JOIN audit.leaf placed ON placed.entry_id = hold.placed_entry_id AND placed.index < %(before)s
  LEFT JOIN audit.leaf released ON released.entry_id = hold.released_entry_id AND released.index < %(before)s
 WHERE hold.placed_at < %(at)s AND (released.index IS NULL OR hold.released_at >= %(at)s)
 ORDER BY placed.index

-- name: over_subject
SELECT records.holds_over_subject_v1(%(subject_key_id)s, %(key_ids)s)

-- name: over_month
SELECT records.holds_over_month_v1(%(retention_class)s, %(month)s, %(looked_at)s)

-- name: subjects
SELECT hold_id, subject_key_id FROM records.hold WHERE kind = 'subject' AND released_at IS NULL ORDER BY hold_id

-- name: in_month
SELECT EXISTS (
    SELECT FROM audit.entry
     WHERE key_id = ANY (%(key_ids)s::uuid[]) AND retention_class = %(retention_class)s
       AND time >= %(month)s::date::timestamp AT TIME ZONE 'UTC'
       AND time < (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC')

-- name: erased
SELECT EXISTS (SELECT FROM records.erasure WHERE subject_key_id = %(subject_key_id)s AND destroyed_at IS NOT NULL)

-- name: expired
SELECT retention_class, month FROM audit.entry entry JOIN records.expiry USING (retention_class)
 WHERE entry.entry_id = %(explanation_id)s AND expiry.month = date_trunc('month', entry.time AT TIME ZONE 'UTC')::date

-- The months whose keys are destroyed, or are being, and in which something in this scope could have lain: nothing tells
-- any more whose entries were in them.
-- name: past_saving
SELECT retention_class, month FROM records.expiry
 WHERE (%(since)s::date IS NULL OR month >= date_trunc('month', %(since)s::date))
   AND (entries > 0
        OR (expired_at IS NULL
            AND EXISTS (SELECT FROM audit.entry
                         WHERE entry.retention_class = expiry.retention_class AND key_id IS NOT NULL
                           AND time >= month::timestamp AT TIME ZONE 'UTC'
                           AND time < (month + interval '1 month') AT TIME ZONE 'UTC')))
   AND (%(kind)s <> 'explanation'
        OR EXISTS (SELECT FROM audit.entry
                    WHERE (entry_id = %(explanation_id)s::uuid OR about = %(explanation_id)s::uuid)
                      AND entry.retention_class = expiry.retention_class AND key_id IS NOT NULL
                      AND time >= month::timestamp AT TIME ZONE 'UTC'
                      AND time < (month + interval '1 month') AT TIME ZONE 'UTC'))
 ORDER BY month, retention_class

-- name: under_way
SELECT retention_class, month FROM records.expiry WHERE expired_at IS NULL ORDER BY month, retention_class

-- name: covers_month
SELECT EXISTS (
    SELECT FROM audit.entry
     WHERE retention_class = %(retention_class)s AND key_id IS NOT NULL
       AND time >= %(month)s::date::timestamp AT TIME ZONE 'UTC'
       AND time < (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'
       AND (%(kind)s = 'everything'
            OR (%(kind)s = 'subject' AND key_id = ANY (%(key_ids)s::uuid[]))
            OR (%(kind)s = 'explanation' AND %(explanation_id)s::uuid IN (entry_id, about))
            OR (%(kind)s = 'model'
                AND convert_from(canonical, 'UTF8')::jsonb #>> '{body,model}' = %(model)s::text
                AND (%(version)s::text IS NULL
                     OR convert_from(canonical, 'UTF8')::jsonb #>> '{body,version}' = %(version)s::text))))
