-- name: subject_keys
select subject_index, subject_key_id, wrapped, master_key_id
from keys.get_or_create_subject_keys_v1(%(indexes)b, %(ids)b, %(wrapped)b, %(master_key_id)s);

-- name: put_entry_keys
select keys.put_entry_keys_v1(%(key_ids)b, %(subject_key_ids)b, %(wrapped)b, %(master_key_id)s);

-- name: read_entry_key
select wrapped, destroyed_at, master_key_id, subject_key_id, subject_wrapped, subject_destroyed_at, subject_master_key_id
from keys.read_entry_key_v1(%(key_id)s);
