-- Taking turns with rows that only those may lock whose turn it can be. An advisory lock has no owner: whoever is let into
-- the database, if only to read, could hold it and stop the log without leaving a trace in it.

-- One row. An integrator locks it for its transaction; to lock a row takes the right to update, and that nobody uses
-- otherwise, as the table refuses every change.
create table audit.integrators_turn (
    turn boolean not null,
    constraint integrators_turn_pkey primary key (turn),
    constraint integrators_turn_once check (turn)
);
insert into audit.integrators_turn (turn) values (true);
call audit.make_append_only_v1('audit.integrators_turn');

revoke all on audit.integrators_turn from public;
grant select, update on audit.integrators_turn to ofrecord_integrator;

-- As before, but for whom it waits: whoever makes partitions locks the first retention class, which only the owner may.
create or replace function audit.make_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_class text;
    v_month date;
    v_parent text;
    v_name text;
begin
    perform from audit.retention_class order by name limit 1 for update;
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
