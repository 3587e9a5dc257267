-- name: keep
select subject_index, subject_key_id, wrapped, master_key_id
from keys.keep_v1(
    %(indexes)b, %(subject_key_ids)b, %(subject_wrapped)b, %(key_ids)b, %(owners)b, %(wrapped)b, %(master_key_id)s
);

-- name: read_entry_key
select wrapped, destroyed_at, master_key_id, subject_key_id, subject_wrapped, subject_destroyed_at, subject_master_key_id
from keys.read_entry_key_v1(%(key_id)s);
