-- A batch of keys is kept in one call. The caller offers a key for each subject and wraps the entries' keys with it, as
-- if each subject were new. Those that are not come back with the key they have, and the keys of their entries were not
-- kept: the caller wraps these anew and calls again. A batch that is tried again brings the same keys again.
create function keys.keep_v1(
    p_indexes bytea[], p_subject_key_ids uuid[], p_subject_wrapped bytea[],
    p_key_ids uuid[], p_owners uuid[], p_wrapped bytea[], p_master_key_id text
) returns table (subject_index bytea, subject_key_id uuid, wrapped bytea, master_key_id text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into keys.subject_key (subject_key_id, subject_index, wrapped, master_key_id)
    select id, i, w, p_master_key_id
    from unnest(p_indexes, p_subject_key_ids, p_subject_wrapped) as given (i, id, w) order by i
    on conflict on constraint subject_key_index do nothing;

    insert into keys.entry_key (key_id, subject_key_id, wrapped, master_key_id)
    select id, owner, w, p_master_key_id from unnest(p_key_ids, p_owners, p_wrapped) as given (id, owner, w)
    where owner is null or exists (select from keys.subject_key known where known.subject_key_id = owner)
    on conflict (key_id) do nothing;

    return query
    select subject_index, subject_key_id, wrapped, master_key_id from keys.subject_key
    where subject_index = any (p_indexes) and subject_key_id <> all (p_subject_key_ids);
end
$$;

drop function keys.get_or_create_subject_keys_v1(bytea[], uuid[], bytea[], text);
drop function keys.put_entry_keys_v1(uuid[], uuid[], bytea[], text);
revoke all on function keys.keep_v1(bytea[], uuid[], bytea[], uuid[], uuid[], bytea[], text) from public;
grant execute on function keys.keep_v1(bytea[], uuid[], bytea[], uuid[], uuid[], bytea[], text)
    to ofrecord_service, ofrecord_worker;
