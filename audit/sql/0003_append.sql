-- Append a batch of entries: one call per group commit. Whoever may call it can add entries and nothing else.
--
-- The columns of audit.entry are read out of the bytes themselves and the leaf hash is computed here, so that a caller
-- cannot make them disagree. `p_ciphertexts`, `p_keys` and `p_fingerprints` have a null where an entry has none.
--
-- One row comes back per entry, in order, with `outcome`
--   appended    it is new;
--   duplicate   its key is taken by the same content: the first entry's id, leaf hash and time are returned;
--   conflict    its key is taken by other content: likewise.
-- Neither of the last two affects its neighbours. Keys are taken in sorted order, so that two batches may wait for each
-- other but never in a circle. The transaction must be READ COMMITTED.
create function audit.append_v1(
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
        select id, e ->> 'type', at, (e ->> 'about')::uuid, (e ->> 'key_id')::uuid, class, b, sha256('\x00'::bytea || b)
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

-- Make a public key known. The API speaks for the receipt key only and the integrator for the checkpoint key only, so
-- that neither can introduce a key that passes for the other's.
create function audit.publish_verifier_key_v1(p_role text, p_vkey text, p_since timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if (session_user = 'ofrecord_service' and p_role <> 'receipt')
       or (session_user = 'ofrecord_integrator' and p_role <> 'checkpoint') then
        raise exception '% may not publish a % key', session_user, p_role using errcode = 'insufficient_privilege';
    end if;
    insert into audit.verifier_key (vkey, role, since) values (p_vkey, p_role, p_since) on conflict (vkey) do nothing;
end
$$;
