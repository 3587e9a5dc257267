-- name: read
SELECT * FROM records.expiry WHERE retention_class = %(retention_class)s AND month = %(month)s

-- name: between
SELECT * FROM records.expiry WHERE started_at < %(until)s AND (dropped_at IS NULL OR dropped_at >= %(since)s)
 ORDER BY month, retention_class

-- name: expired_since
SELECT retention_class, month FROM records.expiry WHERE expired_at >= %(since)s

-- name: start
SELECT records.start_expiry_v1(%(retention_class)s, %(month)s, %(at)s)

-- name: manifest
SELECT records.manifest_expiry_v1(%(retention_class)s, %(month)s, %(at)s, %(entries)s, %(keys)s, %(entry_id)s)

-- name: drop
SELECT records.drop_expiry_v1(%(retention_class)s, %(month)s, %(at)s)
