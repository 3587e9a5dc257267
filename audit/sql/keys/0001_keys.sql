-- The keys of the log's private parts, in a database of their own with backups of their own age: what is destroyed here
-- must not come back from an old copy. Nothing here is readable without the master key.

create schema keys;

-- One key per subject. `subject_index` is a keyed HMAC of the caller's reference. Destroying a key empties the row but
-- keeps it, so that "destroyed" and "lost" remain two different things.
create table keys.subject_key (
    subject_key_id uuid not null,
    subject_index  bytea,
    wrapped        bytea,
    master_key_id  text not null,
    destroyed_at   timestamptz,
    constraint subject_key_pkey primary key (subject_key_id),
    constraint subject_key_index unique (subject_index),
    constraint subject_key_state check ((wrapped is null) = (destroyed_at is not null)
                                        and (subject_index is null) = (destroyed_at is not null))
);

-- One key per entry, wrapped by its subject's key, or by the master key where an entry concerns no subject.
create table keys.entry_key (
    key_id         uuid not null,
    subject_key_id uuid,
    wrapped        bytea,
    master_key_id  text not null,
    destroyed_at   timestamptz,
    constraint entry_key_pkey primary key (key_id),
    constraint entry_key_state check ((wrapped is null) = (destroyed_at is not null))
);
create index entry_key_subject on keys.entry_key (subject_key_id) where subject_key_id is not null;

-- Return the key of each subject; where there is none yet, keep the one that the caller made.
create function keys.get_or_create_subject_keys_v1(
    p_indexes bytea[], p_ids uuid[], p_wrapped bytea[], p_master_key_id text
) returns table (subject_index bytea, subject_key_id uuid, wrapped bytea, master_key_id text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into keys.subject_key (subject_key_id, subject_index, wrapped, master_key_id)
    select id, i, w, p_master_key_id from unnest(p_indexes, p_ids, p_wrapped) as given (i, id, w) order by i
    on conflict on constraint subject_key_index do nothing;
    return query
    select subject_index, subject_key_id, wrapped, master_key_id from keys.subject_key where subject_index = any (p_indexes);
end
$$;

-- Keep the keys of a batch; a batch that is tried again brings the same keys again.
create function keys.put_entry_keys_v1(
    p_key_ids uuid[], p_subject_key_ids uuid[], p_wrapped bytea[], p_master_key_id text
) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
    insert into keys.entry_key (key_id, subject_key_id, wrapped, master_key_id)
    select id, subject, w, p_master_key_id from unnest(p_key_ids, p_subject_key_ids, p_wrapped) as given (id, subject, w)
    on conflict (key_id) do nothing;
end;

create function keys.read_entry_key_v1(p_key_id uuid)
returns table (wrapped bytea, destroyed_at timestamptz, master_key_id text,
               subject_key_id uuid, subject_wrapped bytea, subject_destroyed_at timestamptz, subject_master_key_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
    select entry.wrapped, entry.destroyed_at, entry.master_key_id,
           entry.subject_key_id, subject.wrapped, subject.destroyed_at, subject.master_key_id
    from keys.entry_key entry left join keys.subject_key subject on subject.subject_key_id = entry.subject_key_id
    where entry.key_id = p_key_id;
end;

-- Destroy what wraps: an erasure takes the subject's key, an expiry the entry's. Nobody who logs in may call these yet.
create function keys.destroy_subject_key_v1(p_subject_key_id uuid, p_at timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update keys.subject_key set wrapped = null, subject_index = null, destroyed_at = p_at
    where subject_key_id = p_subject_key_id and destroyed_at is null;
    return found;
end
$$;

create function keys.destroy_entry_key_v1(p_key_id uuid, p_at timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update keys.entry_key set wrapped = null, destroyed_at = p_at where key_id = p_key_id and destroyed_at is null;
    return found;
end
$$;

revoke all on schema keys from public;
revoke all on all tables in schema keys from public;
revoke all on all routines in schema keys from public;
grant usage on schema keys to ofrecord_service, ofrecord_worker;
grant execute on function keys.get_or_create_subject_keys_v1(bytea[], uuid[], bytea[], text) to ofrecord_service, ofrecord_worker;
grant execute on function keys.put_entry_keys_v1(uuid[], uuid[], bytea[], text) to ofrecord_service, ofrecord_worker;
grant execute on function keys.read_entry_key_v1(uuid) to ofrecord_service, ofrecord_worker;
