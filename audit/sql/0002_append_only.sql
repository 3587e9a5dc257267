-- Append-only by construction: whoever has the right to write still cannot change or remove. Statement triggers fire even
-- for statements that touch no row, for ON CONFLICT DO UPDATE and for MERGE; ALWAYS makes them fire when
-- session_replication_role is set to replica.

create function audit.refuse_change_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, tg_op
        using errcode = 'insufficient_privilege';
end
$$;

create procedure audit.make_append_only_v1(p_table regclass)
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create trigger append_only before update or delete or truncate on %s
                    for each statement execute function audit.refuse_change_v1()', p_table);
    execute format('alter table %s enable always trigger append_only', p_table);
end
$$;

call audit.make_append_only_v1('audit.entry');
call audit.make_append_only_v1('audit.payload');
call audit.make_append_only_v1('audit.leaf');
call audit.make_append_only_v1('audit.tile');
call audit.make_append_only_v1('audit.checkpoint');
call audit.make_append_only_v1('audit.verifier_key');

-- Make the partitions of one month and of the two after it, for every retention class. A TRUNCATE trigger on the parent
-- does not protect a partition, so each gets its own. Attaching a finished table does not lock out readers or writers.
create function audit.ensure_partitions_v1(p_month date) returns setof text
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

insert into audit.retention_class (name)
values ('standard'), ('consumer_credit'), ('business_credit'), ('clinical');
