-- The ways by which the schema of the log may change: partitions ahead of time, partitions that expired, migrations.
--
-- Where a superuser has set up the guard (guard/), event triggers refuse every other change, and each of these
-- ways asks the guard to open and close. Without one they do the same by themselves. The functions that change something
-- run as the owner of the log and are nobody's to call but the guard's and the owner's.

-- The partitions of a month and of the two after it that are missing, for every retention class. What has expired does not
-- come back: an entry put into such a month would be lost, or stand in the way of those that are.
create function audit.missing_partitions_v1(p_month date) returns table (class text, month date)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_first timestamp := date_trunc('month', p_month::timestamp);
    v_gone  text[] := '{}';
begin
    if v_first is null or v_first not between '2000-01-01' and '9899-12-31' then
        raise exception 'there is no payload of %', p_month using errcode = 'datetime_field_overflow';
    end if;
    if to_regclass('records.expiry') is not null then
        v_gone := array(select 'payload_' || retention_class || to_char(month, '_YYYY_MM') from records.expiry
                         where month between v_first and v_first + interval '2 months');
    end if;
    return query
    select name, wanted::date
    from audit.retention_class, generate_series(v_first, v_first + interval '2 months', interval '1 month') as wanted
    where to_regclass('audit.payload_' || name || to_char(wanted, '_YYYY_MM')) is null
          and 'payload_' || name || to_char(wanted, '_YYYY_MM') <> all (v_gone)
    order by name, wanted;
end
$$;

create function audit.make_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_class text;
    v_month date;
    v_parent text;
    v_name text;
begin
    -- Not an advisory lock, which any login could hold: only the owner may lock this row.
    perform from audit.retention_class order by name limit 1 for update;
    for v_class, v_month in select class, month from audit.missing_partitions_v1(p_month) loop
        v_parent := 'payload_' || v_class;
        if to_regclass('audit.' || v_parent) is null then
            execute format('create table audit.%I (like audit.payload including all)
                            partition by range (month)', v_parent);
            call audit.make_append_only_v1(format('audit.%I', v_parent)::regclass);
            execute format('alter table audit.payload attach partition audit.%I for values in (%L)', v_parent, v_class);
        end if;
        v_name := v_parent || to_char(v_month, '_YYYY_MM');
        execute format('create table audit.%I (like audit.payload including all)', v_name);
        call audit.make_append_only_v1(format('audit.%I', v_name)::regclass);
        execute format('alter table audit.%I attach partition audit.%I for values from (%L) to (%L)',
                       v_parent, v_name, v_month, (v_month + interval '1 month')::date);
        return next v_name;
    end loop;
end
$$;

-- What the service and the worker call: the partitions of a month and of the two after it, for every retention class.
create or replace function audit.ensure_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from audit.missing_partitions_v1(p_month)) then
        return;  -- asking again takes no lock
    elsif to_regprocedure('audit_guard.make_partitions_v1(date)') is null then
        return query select audit.make_partitions_v1(p_month);
    else
        return query select audit_guard.make_partitions_v1(p_month);
    end if;
end
$$;

-- Remove the partition of one retention class and month. Whatever way leads here, what has to be true first is asked here
-- (require_expired_v1).
create function audit.remove_partition_v1(p_class text, p_month date, p_manifest uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_parent text := 'payload_' || p_class;
    v_name text := v_parent || to_char(p_month, '_YYYY_MM');
begin
    if p_month is distinct from date_trunc('month', p_month)::date or to_regclass(format('audit.%I', v_name)) is null then
        raise exception 'there is no payload of class % and month %', p_class, p_month using errcode = 'undefined_table';
    end if;
    perform audit.require_expired_v1(p_class, p_month, p_manifest);
    execute format('alter table audit.%I detach partition audit.%I', v_parent, v_name);
    execute format('drop table audit.%I', v_name);
end
$$;

-- The same by the way that is open; whoever expires calls this one.
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
