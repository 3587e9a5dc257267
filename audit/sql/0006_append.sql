-- What append_v1 takes: entries of version 1 as audit/entry.py writes them, and of each type from those alone whose it is.
--
-- An entry that no reader can read stops whoever has to read all of them, and one that names another's key would take
-- that key with it when it expires. So a key belongs to one entry, and what follows is refused whoever sends it. Bodies
-- are their readers' to judge.

drop index audit.entry_key;
alter table audit.entry add constraint entry_key_once unique (key_id);

-- The types that only some roles may append; a role is looked for by membership, so that the owner is all of them but the
-- custodian, and whoever may be the owner is each.
create function audit.may_append_v1(p_type text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
    select case
        when pg_has_role(session_user, 'ofrecord_owner', 'member') then true
        when p_type = 'schema.change' then false
        when starts_with(p_type, 'retention.') or p_type in ('erasure.held', 'erasure.completed')
            then pg_has_role(session_user, 'ofrecord_custodian', 'member')
        when starts_with(p_type, 'hold.') or starts_with(p_type, 'erasure.')
            then pg_has_role(session_user, 'ofrecord_service', 'member')
        else true
    end
$$;

-- As in 0003, but for what is refused: see there for what it returns. No text in it holds a backslash, because a session
-- can change what one means.
create or replace function audit.append_v1(
    p_canonicals   bytea[],
    p_ciphertexts  bytea[],
    p_keys         bytea[],
    p_fingerprints bytea[]
) returns table (outcome text, entry_id uuid, leaf_hash bytea, "time" timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_entries jsonb[];
    v_ids     uuid[];
    v_taken   uuid[];
    v_type    text;
begin
    if cardinality(p_ciphertexts) is distinct from cardinality(p_canonicals)
       or cardinality(p_keys) is distinct from cardinality(p_canonicals)
       or cardinality(p_fingerprints) is distinct from cardinality(p_canonicals) then
        raise exception 'the arrays differ in length' using errcode = 'array_subscript_error';
    end if;

    select array_agg(e order by o), array_agg((e ->> 'entry_id')::uuid order by o)
    into v_entries, v_ids
    from (select convert_from(c, 'UTF8')::jsonb as e, o from unnest(p_canonicals) with ordinality as given (c, o)) read;

    perform from unnest(v_entries, p_ciphertexts) as given (e, c)
    where e -> 'v' is distinct from '1'::jsonb
       or e ->> 'ciphertext_digest' is distinct from 'sha256:' || encode(sha256(c), 'hex')
       or (e ->> 'key_id' is null) <> (c is null);
    if found then
        raise exception 'an entry and its ciphertext do not belong together' using errcode = 'data_exception';
    end if;

    -- Every member but actor and body has one way to be written: what the bytes have to begin and end with is put together
    -- here. An id is cast first, so that only one in lower case is the same again.
    perform from (
        select e, b, e ->> 'type' as type, e ->> 'time' as at, e ->> 'retention_class' as class, e ->> 'commitment' as commitment,
               '{"about":' || coalesce('"' || (e ->> 'about')::uuid || '"', 'null') || ',"actor":"' as beginning,
               ',"ciphertext_digest":' || coalesce('"' || (e ->> 'ciphertext_digest') || '"', 'null')
               || ',"commitment":' || coalesce('"' || (e ->> 'commitment') || '"', 'null')
               || ',"entry_id":"' || id || '","key_id":' || coalesce('"' || (e ->> 'key_id')::uuid || '"', 'null')
               || ',"retention_class":"' || (e ->> 'retention_class') || '","time":"' || (e ->> 'time')
               || '","type":"' || (e ->> 'type') || '","v":1}' as ending
        from unnest(v_entries, v_ids, p_canonicals) as given (e, id, b)
    ) entry
    where (
        e - '{about,actor,body,ciphertext_digest,commitment,entry_id,key_id,retention_class,time,type,v}'::text[] = '{}'
        and jsonb_typeof(e -> 'body') = 'object'
        and length(e ->> 'actor') between 1 and 200
        and length(type) <= 64 and type ~ '^[a-z]+(_[a-z]+)*([.][a-z]+(_[a-z]+)*)+$'
        and at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{6}Z$'
        and class in (select name from audit.retention_class)
        and (commitment is null) = (e ->> 'key_id' is null)
        and coalesce(commitment ~ '^[0-9a-f]{64}$', true)
        and substr(b, 1, length(beginning)) = convert_to(beginning, 'UTF8')
        and substr(b, 1 + octet_length(b) - length(ending)) = convert_to(ending, 'UTF8')
    ) is not true;
    if found then
        raise exception 'an entry is not written as version 1 is' using errcode = 'data_exception';
    end if;

    select type into v_type
    from (select distinct e ->> 'type' as type from unnest(v_entries) as given (e)) told where not audit.may_append_v1(type);
    if found then
        raise exception '% may not append %', session_user, v_type using errcode = 'data_exception';
    end if;

    if to_regclass('records.expiry') is not null then  -- the log is there before that table is
        perform from unnest(v_entries) as given (e)
        join records.expiry on retention_class = e ->> 'retention_class'
             and month = date_trunc('month', (e ->> 'time')::timestamptz at time zone 'UTC')::date
        where e ->> 'key_id' is not null;
        if found then
            raise exception 'the month of an entry has expired' using errcode = 'check_violation';
        end if;
    end if;

    with taken as (
        insert into audit.idempotency (key, fingerprint, entry_id)
        select k, f, id from unnest(p_keys, p_fingerprints, v_ids) with ordinality as given (k, f, id, o)
        where k is not null order by k, o
        on conflict on constraint idempotency_pkey do nothing
        returning entry_id
    )
    select array_agg(entry_id) into v_taken from taken;

    with item as materialized (
        select id, e, b, c, (e ->> 'time')::timestamptz as at, e ->> 'retention_class' as class
        from unnest(v_ids, v_entries, p_canonicals, p_ciphertexts, p_keys) as given (id, e, b, c, k)
        where k is null or id = any (v_taken)
    ), new_entry as (
        insert into audit.entry (entry_id, type, time, about, key_id, retention_class, canonical, leaf_hash)
        select id, e ->> 'type', at, (e ->> 'about')::uuid, (e ->> 'key_id')::uuid, class, b, sha256(decode('00', 'hex') || b)
        from item
    ), new_payload as (
        insert into audit.payload (entry_id, retention_class, month, ciphertext)
        select id, class, date_trunc('month', at at time zone 'UTC')::date, c from item where c is not null
    )
    insert into audit.pending (entry_id) select id from item;

    return query
    select case when k is null or first.entry_id = id then 'appended'
                when first.fingerprint = f then 'duplicate'
                else 'conflict' end,
           entry.entry_id, entry.leaf_hash, entry.time
    from unnest(v_ids, p_keys, p_fingerprints) with ordinality as given (id, k, f, o)
    left join audit.idempotency first on first.key = k
    join audit.entry entry on entry.entry_id = coalesce(first.entry_id, id)
    order by o;
end
$$;

revoke all on function audit.may_append_v1(text) from public;
