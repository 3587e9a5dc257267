-- name: keep
select subject_index, subject_key_id, wrapped, master_key_id
from keys.keep_v1(
    %(indexes)b, %(subject_key_ids)b, %(subject_wrapped)b, %(key_ids)b, %(owners)b, %(wrapped)b, %(master_key_id)s
);

-- name: read_entry_key
select wrapped, destroyed_at, destroyed_by, master_key_id,
       subject_key_id, subject_wrapped, subject_destroyed_at, subject_master_key_id
from keys.read_entry_key_v2(%(key_id)s);

-- name: find_subject_key
select keys.find_subject_key_v1(%(index)s);

-- name: key_ids_of_subject
select keys.key_ids_of_subject_v1(%(subject_key_id)s);

-- name: destroy_subject_keys
select id from unnest(%(subject_key_ids)s::uuid[]) as given (id) where keys.destroy_subject_key_v1(id, %(at)s);

-- name: unlink_subject
select keys.unlink_subject_v1(%(subject_key_id)s, %(at)s);

-- name: destroy_entry_keys
select keys.destroy_entry_keys_v1(%(key_ids)s, %(at)s);

-- name: subject_keys_beside
select key_id, destroyed_at, subject_key_id, wrapped, master_key_id from keys.subject_keys_beside_v1(%(key_ids)b);

-- name: lock_subject_key
select keys.lock_subject_key_v1(%(subject_key_id)s);
