-- What an erasure and an expiry may take away: index rows behind an `erasure.requested` entry, and whole partitions of
-- payloads behind a `retention.expired` entry that is in the tree. Entries, leaves and tiles stay for ever. Only the key
-- custodian may call these, whose process has neither the master key nor any key that signs.

-- The rows of the idempotency index that lead to entries of an erased subject: they are keyed HMACs of what the caller
-- knew them by. Which entries these are only the keys database can tell, so the caller names their keys; the request has
-- to be one whose subject's key is destroyed, and the entry and the row have to say the same of it.
create function audit.forget_indexes_v1(p_requested uuid, p_key_ids uuid[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
begin
    perform from audit.entry entry join records.erasure erasure on erasure.requested_entry_id = entry.entry_id
    where entry.entry_id = p_requested and entry.type = 'erasure.requested'
      and not erasure.refused and erasure.destroyed_at is not null
      and convert_from(entry.canonical, 'UTF8')::jsonb -> 'body' @> jsonb_build_object(
              'erasure_id', erasure.erasure_id, 'subject_key_id', erasure.subject_key_id);
    if not found then
        raise exception '% is no request of an erasure that has begun', p_requested
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    delete from audit.idempotency known using audit.entry entry
     where entry.key_id = any (p_key_ids) and known.entry_id = entry.entry_id;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- The entries of one class and month (UTC) that have a private part, as an expiry declares them: how many, and a digest of
-- their ids, 16 bytes each, in their order.
create function audit.private_entries_v1(p_class text, p_month date, out entries bigint, out entries_digest text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select count(*), 'sha256:' || encode(sha256(coalesce(string_agg(uuid_send(entry_id), ''::bytea order by entry_id), '')), 'hex')
    from audit.entry
    where retention_class = p_class and key_id is not null
      and time >= p_month::timestamp at time zone 'UTC'
      and time < (p_month + interval '1 month') at time zone 'UTC';
$$;

-- How many calendar months each class is kept: what audit/retention.py says, and why.
create function audit.retention_months_v1(p_class text) returns integer
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    select case p_class
        when 'standard' then 6
        when 'consumer_credit' then 25
        when 'business_credit' then 12
        when 'clinical' then 72
    end
$$;

-- Raise unless the payloads of one class and month may go: the entry is the manifest of their expiry, has its place in the
-- tree and declares exactly the entries that are there; so much time had passed by then that the last of them could have
-- reached its end, and that time is not later than what was signed over it; and no hold could cover one of them. Of a hold
-- on a subject this database cannot tell what it covers: the custodian has looked before the expiry began, so that only
-- one placed since then stands in the way.
create function audit.require_expired_v1(p_class text, p_month date, p_manifest uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_named  text := p_class || to_char(p_month, ' YYYY-MM');
    v_told   record;
    v_begun  timestamptz;
    v_found  record;
begin
    select convert_from(entry.canonical, 'UTF8')::jsonb -> 'body' as body, entry.time as at,
           (select signed_at from audit.checkpoint where tree_size > leaf.index order by tree_size limit 1) as signed_at
    into v_told
    from audit.entry entry join audit.leaf leaf using (entry_id)
    where entry.entry_id = p_manifest and entry.type = 'retention.expired';
    if not found then
        raise exception '% is no manifest of an expiry that is in the tree', p_manifest
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    select started_at into v_begun from records.expiry
    where retention_class = p_class and month = p_month and manifest_entry_id = p_manifest;
    if v_begun is null or v_told.body ->> 'retention_class' is distinct from p_class
       or v_told.body ->> 'month' is distinct from to_char(p_month, 'YYYY-MM') then
        raise exception 'the manifest % is not that of %', p_manifest, v_named
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if ((p_month + interval '1 month' + make_interval(months => audit.retention_months_v1(p_class))) at time zone 'UTC'
            <= v_begun and v_begun <= v_told.at and v_told.at <= v_told.signed_at + interval '5 minutes') is not true then
        raise exception 'the manifest % is dated before % can be over, or after it was signed', p_manifest, v_named
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    select * into v_found from audit.private_entries_v1(p_class, p_month);
    if v_told.body -> 'entries' is distinct from to_jsonb(v_found.entries)
       or v_told.body ->> 'entries_digest' is distinct from v_found.entries_digest then
        raise exception 'the manifest % does not declare the entries that are there', p_manifest
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if exists (select from records.holds_over_month_v1(p_class, p_month, v_begun)) then
        raise exception 'a hold may cover entries of %', v_named using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

-- Drop the payloads of one class and month, and the index rows that lead to its entries. False: it was dropped before.
create function audit.drop_expired_partition_v1(p_class text, p_month date, p_manifest uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
begin
    if to_regclass(format('audit.%I', 'payload_' || p_class || to_char(p_month, '_YYYY_MM'))) is null then
        perform audit.require_expired_v1(p_class, p_month, p_manifest);
        return false;
    end if;
    delete from audit.idempotency known using audit.entry entry
     where known.entry_id = entry.entry_id and entry.retention_class = p_class
       and entry.time >= p_month::timestamp at time zone 'UTC'
       and entry.time < (p_month + interval '1 month') at time zone 'UTC';
    perform audit.drop_partition_v1(p_class, p_month, p_manifest);  -- asks first, and goes the way that a guard leaves open
    return true;
end
$$;

revoke all on function
    audit.forget_indexes_v1(uuid, uuid[]),
    audit.private_entries_v1(text, date),
    audit.retention_months_v1(text),
    audit.require_expired_v1(text, date, uuid),
    audit.drop_expired_partition_v1(text, date, uuid)
from public;
grant usage on schema audit to ofrecord_custodian;
grant select on audit.entry, audit.leaf, audit.retention_class to ofrecord_custodian;
grant execute on function
    audit.append_v1(bytea[], bytea[], bytea[], bytea[]),
    audit.forget_indexes_v1(uuid, uuid[]),
    audit.private_entries_v1(text, date),
    audit.drop_expired_partition_v1(text, date, uuid)
to ofrecord_custodian;
