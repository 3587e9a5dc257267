-- name: request
SELECT records.request_erasure_v1(
    %(erasure_id)s, %(subject_key_id)s, %(request_key)s, %(basis)s, %(at)s, %(by)s, %(entry_id)s, %(effective_at)s,
    %(ground)s, %(retained_until)s, %(hold_ids)s::uuid[])

-- name: bring_forward
SELECT records.bring_forward_erasure_v1(
    %(erasure_id)s, %(request_key)s, %(basis)s, %(entry_id)s, %(effective_at)s)

-- name: read
SELECT * FROM records.erasure WHERE erasure_id = %(erasure_id)s

-- name: of_subject
SELECT * FROM records.erasure WHERE subject_key_id = %(subject_key_id)s AND NOT refused

-- name: last_refusal
SELECT * FROM records.erasure WHERE subject_key_id = %(subject_key_id)s AND refused
 ORDER BY requested_at DESC, erasure_id DESC LIMIT 1

-- name: repeated
SELECT * FROM records.erasure WHERE request_key = ANY (%(request_keys)s) AND NOT refused
 ORDER BY requested_at DESC, erasure_id DESC LIMIT 1

-- name: between
SELECT * FROM records.erasure
 WHERE requested_at < %(until)s AND (completed_at IS NULL OR completed_at >= %(since)s)
   AND NOT (refused AND requested_at < %(since)s)
 ORDER BY requested_at, erasure_id

-- name: due
SELECT erasure_id FROM records.erasure
 WHERE NOT refused AND completed_at IS NULL AND effective_at <= %(now)s AND (held_at IS NULL OR %(held_too)s)
 ORDER BY effective_at, erasure_id

-- name: destroyed_since
SELECT subject_key_id, forgotten_at IS NOT NULL FROM records.erasure WHERE destroyed_at >= %(since)s

-- name: hold_up
SELECT records.hold_up_erasure_v1(%(erasure_id)s, %(at)s, %(ground)s, %(retained_until)s, %(hold_ids)s::uuid[])

-- name: settle
SELECT records.settle_erasure_v1(%(erasure_id)s, %(at)s, %(unwritten)s::uuid[])

-- name: unwritten
SELECT id FROM unnest(%(key_ids)s::uuid[]) AS given (id)
 WHERE NOT EXISTS (SELECT FROM audit.entry WHERE key_id = id)
 ORDER BY id

-- name: destroyed
SELECT records.destroyed_erasure_v1(%(erasure_id)s, %(at)s)

-- name: forgotten
SELECT records.forgotten_erasure_v1(%(erasure_id)s, %(at)s, %(entries)s, %(indexes)s, %(evaluations)s)

-- name: complete
SELECT records.complete_erasure_v1(%(erasure_id)s, %(at)s, %(entry_id)s)

-- name: forget_requests
SELECT records.forget_requests_v1(%(before)s)
