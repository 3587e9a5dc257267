-- Custody: finding the key of a subject, and destroying keys for good. Destroying is the custodian's alone, who reads no
-- wrapped key and never has the master key. What a row says of its own end tells an erasure from an expiry.

alter table keys.entry_key add column destroyed_by text;
alter table keys.entry_key add constraint entry_key_ground check (
    destroyed_by is null or (destroyed_at is not null and destroyed_by in ('erasure', 'expiry')));

-- The key of a subject, by the keyed HMAC of its reference; null where there is none, or none any more.
create function keys.find_subject_key_v1(p_index bytea) returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select subject_key_id from keys.subject_key where subject_index = p_index and destroyed_at is null;
end;

-- The keys of the entries about one subject. Complete once the subject's key is destroyed: nothing is kept under it then.
create function keys.key_ids_of_subject_v1(p_subject_key_id uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select key_id from keys.entry_key where subject_key_id = p_subject_key_id;
end;

create function keys.read_entry_key_v2(p_key_id uuid)
returns table (wrapped bytea, destroyed_at timestamptz, destroyed_by text, master_key_id text, subject_key_id uuid,
               subject_wrapped bytea, subject_destroyed_at timestamptz, subject_master_key_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select entry.wrapped, entry.destroyed_at, entry.destroyed_by, entry.master_key_id, entry.subject_key_id,
           subject.wrapped, subject.destroyed_at, subject.master_key_id
    from keys.entry_key entry left join keys.subject_key subject on subject.subject_key_id = entry.subject_key_id
    where entry.key_id = p_key_id;
end;

-- After an erasure: empty the entry keys that hung on the destroyed one and let go of it, so that nothing tells any more
-- which entries were about the same person. Returns how many.
create function keys.unlink_subject_v1(p_subject_key_id uuid, p_at timestamptz) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
begin
    perform from keys.subject_key where subject_key_id = p_subject_key_id and destroyed_at is null;
    if found then
        raise exception 'the key of this subject is not destroyed' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update keys.entry_key
       set subject_key_id = null, wrapped = null,
           destroyed_at = coalesce(destroyed_at, p_at), destroyed_by = coalesce(destroyed_by, 'erasure')
     where subject_key_id = p_subject_key_id;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- An expiry: destroy the keys of these entries, and of each subject that has no other. Returns how many of them are
-- destroyed now, whoever did it and when: a batch that is tried again counts alike.
create function keys.destroy_entry_keys_v1(p_key_ids uuid[], p_at timestamptz) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_subjects uuid[];
begin
    select array_agg(distinct subject_key_id) into v_subjects
    from keys.entry_key where key_id = any (p_key_ids) and subject_key_id is not null;
    -- From here on nothing is kept under them before this transaction ends.
    perform from keys.subject_key where subject_key_id = any (v_subjects) order by subject_key_id for update;
    update keys.entry_key
       set wrapped = null, subject_key_id = null, destroyed_at = p_at, destroyed_by = 'expiry'
     where key_id = any (p_key_ids) and destroyed_at is null;
    update keys.subject_key subject set wrapped = null, subject_index = null, destroyed_at = p_at
     where subject_key_id = any (v_subjects) and destroyed_at is null
       and not exists (select from keys.entry_key entry where entry.subject_key_id = subject.subject_key_id);
    return (select count(*) from keys.entry_key where key_id = any (p_key_ids) and destroyed_at is not null);
end
$$;

revoke all on function
    keys.find_subject_key_v1(bytea),
    keys.key_ids_of_subject_v1(uuid),
    keys.read_entry_key_v2(uuid),
    keys.unlink_subject_v1(uuid, timestamptz),
    keys.destroy_entry_keys_v1(uuid[], timestamptz)
from public;
grant usage on schema keys to ofrecord_custodian;
grant execute on function keys.read_entry_key_v2(uuid) to ofrecord_service, ofrecord_worker;
grant execute on function keys.find_subject_key_v1(bytea) to ofrecord_service;
grant execute on function keys.key_ids_of_subject_v1(uuid) to ofrecord_service, ofrecord_custodian;
grant execute on function
    keys.destroy_subject_key_v1(uuid, timestamptz),
    keys.unlink_subject_v1(uuid, timestamptz),
    keys.destroy_entry_keys_v1(uuid[], timestamptz)
to ofrecord_custodian;
