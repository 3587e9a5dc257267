-- name: request
SELECT * FROM records.request_evaluation_v1(
    %(evaluation_id)s, %(kind)s, %(model)s, %(version)s, %(parameters)s,
    %(requested_by)s, %(requested_entry_id)s, %(now)s)

-- name: read
SELECT * FROM records.evaluation WHERE evaluation_id = %(evaluation_id)s

-- name: claim
SELECT * FROM records.claim_evaluation_v1(%(evaluation_id)s, %(owner)s, %(now)s, %(lease_until)s)

-- name: heartbeat
SELECT records.heartbeat_evaluation_v1(%(evaluation_id)s, %(owner)s, %(lease_until)s, %(progress)s)

-- name: release
SELECT records.release_evaluation_v1(%(evaluation_id)s, %(owner)s, %(sent_at)s, %(failure)s)

-- name: finish
SELECT records.finish_evaluation_v1(
    %(evaluation_id)s, %(owner)s, %(now)s, %(state)s, %(failure)s, %(result)s)

-- name: cancel
SELECT records.cancel_evaluation_v1(%(evaluation_id)s, %(now)s)

-- name: outcome
SELECT records.outcome_evaluation_v1(%(evaluation_id)s, %(entry_id)s)

-- name: due
SELECT records.evaluations_due_for_redelivery_v1(
    %(now)s, %(queued_before)s, %(expired_before)s, %(at_most)s)
