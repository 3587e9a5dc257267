-- What is said later about a decision hangs on the very key that the decision hangs on, and not on whatever key its person
-- has by then: after an erasure nothing about it can be kept any more.
--
-- One row for each key id that is known. `destroyed_at` is that of the entry's key or of the subject's, whichever is gone;
-- where an entry concerns no subject, the others are null.
create function keys.subject_keys_beside_v1(p_key_ids uuid[])
returns table (key_id uuid, destroyed_at timestamptz, subject_key_id uuid, wrapped bytea, master_key_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select entry.key_id, coalesce(entry.destroyed_at, subject.destroyed_at),
           entry.subject_key_id, subject.wrapped, subject.master_key_id
    from keys.entry_key entry left join keys.subject_key subject on subject.subject_key_id = entry.subject_key_id
    where entry.key_id = any (p_key_ids);
end;

-- Lock the key of a subject until the transaction ends: nothing is kept under it meanwhile. False: it is destroyed.
create function keys.lock_subject_key_v1(p_subject_key_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_there boolean;
begin
    select destroyed_at is null into v_there from keys.subject_key where subject_key_id = p_subject_key_id for update;
    return coalesce(v_there, false);
end
$$;

revoke all on function keys.subject_keys_beside_v1(uuid[]), keys.lock_subject_key_v1(uuid) from public;
grant execute on function keys.subject_keys_beside_v1(uuid[]) to ofrecord_service, ofrecord_worker;
grant execute on function keys.lock_subject_key_v1(uuid) to ofrecord_custodian;
