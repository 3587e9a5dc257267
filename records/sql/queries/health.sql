-- name: writable
SELECT has_function_privilege('audit.append_v1(bytea[], bytea[], bytea[], bytea[])', 'EXECUTE'),
       NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'
