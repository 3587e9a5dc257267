-- The ways by which the schema of the log may change: partitions ahead of time, partitions that expired, migrations.
--
-- Where a superuser has set up the guard (guard/), event triggers refuse every other change, and each of these
-- ways asks the guard to open and close. Without one they do the same by themselves. The functions that change something
-- run as the owner of the log and are nobody's to call but the guard's and the owner's.

create function audit.make_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_class text;
    v_month date;
    v_parent text;
    v_name text;
begin
    perform pg_advisory_xact_lock(hashtext('audit.ensure_partitions'));
    for v_class in select name from audit.retention_class order by name loop
        v_parent := 'payload_' || v_class;
        if to_regclass('audit.' || v_parent) is null then
            execute format('create table audit.%I (like audit.payload including all)
                            partition by range (month)', v_parent);
            call audit.make_append_only_v1(format('audit.%I', v_parent)::regclass);
            execute format('alter table audit.payload attach partition audit.%I for values in (%L)', v_parent, v_class);
        end if;
        for v_month in select generate_series(date_trunc('month', p_month::timestamp),
                                              date_trunc('month', p_month::timestamp) + interval '2 months',
                                              interval '1 month')::date loop
            v_name := v_parent || to_char(v_month, '_YYYY_MM');
            if to_regclass('audit.' || v_name) is null then
                execute format('create table audit.%I (like audit.payload including all)', v_name);
                call audit.make_append_only_v1(format('audit.%I', v_name)::regclass);
                execute format('alter table audit.%I attach partition audit.%I for values from (%L) to (%L)',
                               v_parent, v_name, v_month, (v_month + interval '1 month')::date);
                return next v_name;
            end if;
        end loop;
    end loop;
end
$$;

-- What the service and the worker call: the partitions of a month and of the two after it, for every retention class.
create or replace function audit.ensure_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if audit.missing_partitions_v1(p_month) = 0 then
        return;
    elsif to_regprocedure('audit_guard.make_partitions_v1(date)') is null then
        return query select audit.make_partitions_v1(p_month);
    else
        return query select audit_guard.make_partitions_v1(p_month);
    end if;
end
$$;

-- Count what ensure_partitions_v1 would have to make, so that asking again takes no lock.
create function audit.missing_partitions_v1(p_month date) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select count(*)
    from audit.retention_class class,
         generate_series(date_trunc('month', p_month::timestamp),
                         date_trunc('month', p_month::timestamp) + interval '2 months', interval '1 month') as month
    where to_regclass('audit.payload_' || class.name || to_char(month, '_YYYY_MM')) is null
$$;

-- Remove the partition of one retention class and month, behind the entry that says so (`retention.expired`) and has its
-- place in the tree: it counts the entries that lose their payload and digests their ids, and that has to be true.
create function audit.remove_partition_v1(p_class text, p_month date, p_manifest uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_parent text := 'payload_' || p_class;
    v_name text := v_parent || to_char(p_month, '_YYYY_MM');
    v_body jsonb;
    v_entries bigint;
    v_digest text;
begin
    if p_month is distinct from date_trunc('month', p_month)::date or to_regclass(format('audit.%I', v_name)) is null then
        raise exception 'there is no payload of class % and month %', p_class, p_month using errcode = 'undefined_table';
    end if;
    select convert_from(canonical, 'UTF8')::jsonb -> 'body' into v_body
    from audit.entry join audit.leaf using (entry_id)
    where entry_id = p_manifest and type = 'retention.expired';

    select count(*), 'sha256:' || encode(sha256(coalesce(string_agg(uuid_send(entry_id), ''::bytea
                                                                    order by entry_id::text collate "C"), ''::bytea)), 'hex')
    into v_entries, v_digest
    from audit.entry
    where key_id is not null and retention_class = p_class
          and date_trunc('month', time at time zone 'UTC')::date = p_month;

    if v_body is null
       or v_body ->> 'retention_class' is distinct from p_class
       or v_body ->> 'month' is distinct from to_char(p_month, 'YYYY-MM')
       or v_body -> 'entries' is distinct from to_jsonb(v_entries)
       or v_body ->> 'entries_digest' is distinct from v_digest then
        raise exception 'no entry in the tree says that the % entries of class % and month % expired', v_entries, p_class, p_month
            using errcode = 'insufficient_privilege';
    end if;
    execute format('alter table audit.%I detach partition audit.%I', v_parent, v_name);
    execute format('drop table audit.%I', v_name);
end
$$;

-- The same by the way that is open; whoever expires calls this one, after checks of their own.
create function audit.drop_partition_v1(p_class text, p_month date, p_manifest uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regprocedure('audit_guard.remove_partition_v1(text, date, uuid)') is null then
        perform audit.remove_partition_v1(p_class, p_month, p_manifest);
    else
        perform audit_guard.remove_partition_v1(p_class, p_month, p_manifest);
    end if;
end
$$;

-- Run the text of a migration as the owner; the guard calls it between opening and closing.
create function audit.run_migration_v1(p_text text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    execute p_text;
end
$$;

revoke all on function audit.make_partitions_v1(date), audit.missing_partitions_v1(date),
    audit.remove_partition_v1(text, date, uuid), audit.drop_partition_v1(text, date, uuid),
    audit.run_migration_v1(text) from public;

grant usage on schema audit to ofrecord_custodian;
