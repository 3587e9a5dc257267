-- keep_v1 as in 0002, but that a subject is named once: of one that is named twice only the first key can be kept, and
-- whoever brought the second would wait for it for ever.
create or replace function keys.keep_v1(
    p_indexes bytea[], p_subject_key_ids uuid[], p_subject_wrapped bytea[],
    p_key_ids uuid[], p_owners uuid[], p_wrapped bytea[], p_master_key_id text
) returns table (subject_index bytea, subject_key_id uuid, wrapped bytea, master_key_id text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_wanted bigint := (select count(distinct i) from unnest(p_indexes) as given (i));
    v_known  bigint;
begin
    if v_wanted is distinct from cardinality(p_indexes) then
        raise exception 'a subject is named twice, or not at all' using errcode = 'data_exception';
    end if;
    loop
        insert into keys.subject_key (subject_key_id, subject_index, wrapped, master_key_id)
        select id, i, w, p_master_key_id
        from unnest(p_indexes, p_subject_key_ids, p_subject_wrapped) as given (i, id, w) where i is not null order by i
        on conflict on constraint subject_key_index do nothing;
        -- From here on none of them can be erased before this transaction ends; one that just was is made anew.
        perform from keys.subject_key where subject_index = any (p_indexes) order by subject_index for share;
        get diagnostics v_known = row_count;
        exit when v_known = v_wanted;
    end loop;
    perform from keys.subject_key where subject_key_id = any (p_owners) order by subject_key_id for share;

    insert into keys.entry_key (key_id, subject_key_id, wrapped, master_key_id)
    select id, owner, w, p_master_key_id
    from unnest(p_key_ids, p_owners, p_wrapped) as given (id, owner, w)
    left join keys.subject_key known on known.subject_key_id = owner
    where owner is null or (known.subject_key_id is not null and known.destroyed_at is null)
    on conflict (key_id) do nothing;

    if exists (
        select from unnest(p_key_ids, p_owners) as given (id, owner)
        left join keys.entry_key kept on kept.key_id = id
        where kept.key_id is null and (owner is null or owner <> all (p_subject_key_ids))
    ) then
        raise exception 'a subject was erased meanwhile' using errcode = 'serialization_failure';
    end if;

    return query
    select subject_index, subject_key_id, wrapped, master_key_id from keys.subject_key
    where subject_index = any (p_indexes) and subject_key_id <> all (p_subject_key_ids);
end
$$;
