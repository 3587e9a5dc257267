-- The second part of the guard: what refuses, what opens and closes, and who may call it. It follows 1_shape.sql in the same
-- transaction.

-- Return the permit that stands in this transaction; an open migration goes before anything it calls.
create function audit_guard.standing_v1(out kind text, out subject text)
language sql volatile set search_path = pg_catalog, pg_temp
as $$
    select permit.kind, permit.subject from audit_guard.permit
    where permit.xid = pg_current_xact_id_if_assigned() order by permit.kind = 'migration' desc limit 1
$$;

-- Return schema and relation that an object belongs to, as far as the catalogs tell.
create function audit_guard.place_v1(p_class oid, p_object oid, p_schema text, out schema text, out relation text)
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation oid := case p_class
        when 'pg_class'::regclass then p_object
        when 'pg_trigger'::regclass then (select tgrelid from pg_trigger where oid = p_object)
        when 'pg_rewrite'::regclass then (select ev_class from pg_rewrite where oid = p_object)
        when 'pg_policy'::regclass then (select polrelid from pg_policy where oid = p_object)
        when 'pg_constraint'::regclass then (select conrelid from pg_constraint where oid = p_object)
        when 'pg_attrdef'::regclass then (select adrelid from pg_attrdef where oid = p_object)
        when 'pg_statistic_ext'::regclass then (select stxrelid from pg_statistic_ext where oid = p_object)
    end;
begin
    select nspname, relname into schema, relation
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace where pg_class.oid = v_relation;
    schema := coalesce(schema, p_schema, (select nspname from pg_namespace
                                          where oid = p_object and p_class = 'pg_namespace'::regclass));
end
$$;

create function audit_guard.refuse_v1(p_what text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'the schema of the log is guarded: % is refused', p_what using errcode = 'insufficient_privilege',
        hint = 'A change is a migration that an entry of the log announces: `ofrecord migrate`.';
end
$$;

-- What is done CONCURRENTLY commits before it is over: it has to be refused before it begins, where nobody knows yet which
-- relation is meant. Such a command stands in the client's own text, never in a function.
create function audit_guard.at_start_v1() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_tag in ('ALTER TABLE', 'CREATE INDEX', 'DROP INDEX')
       and position('concurrently' in lower(coalesce(current_query(), ''))) > 0
       and (select kind from audit_guard.standing_v1()) is null then
        perform audit_guard.refuse_v1(tg_tag || ' CONCURRENTLY, in this database,');
    end if;
end
$$;

create function audit_guard.at_end_v1() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_permit record;
    v_object record;
begin
    if tg_tag = 'REINDEX' then
        return;
    end if;
    select * into v_permit from audit_guard.standing_v1();
    for v_object in
        select told.object_identity, place.schema, place.relation
        from pg_event_trigger_ddl_commands() told,
             audit_guard.place_v1(told.classid, told.objid, told.schema_name) place
        where place.schema in ('audit', 'audit_guard')
    loop
        if v_object.schema = 'audit_guard'
           or not coalesce(v_permit.kind = 'migration'
                           or v_permit.kind = 'partitions' and starts_with(v_object.relation, 'payload')
                           or v_permit.kind = 'expiry' and starts_with(v_permit.subject, v_object.relation), false) then
            perform audit_guard.refuse_v1(tg_tag || ' of ' || v_object.object_identity);
        end if;
    end loop;
    if v_permit.kind is null and not audit_guard.unchanged_v1() then
        perform audit_guard.refuse_v1(tg_tag || ', which changes it or finds it changed by other ways than its own,');
    end if;
end
$$;

create function audit_guard.at_drop_v1() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_permit record;
    v_object record;
    v_schema text;
begin
    select * into v_permit from audit_guard.standing_v1();
    for v_object in select * from pg_event_trigger_dropped_objects() where object_type <> 'publication relation' loop
        v_schema := case when v_object.object_type = 'schema' then v_object.object_name
                         else coalesce(v_object.schema_name, v_object.address_names[1]) end;
        if v_schema = 'audit_guard'
           or v_schema = 'audit'
              and not coalesce(v_permit.kind = 'migration'
                               or v_permit.kind = 'expiry'
                                  and (v_object.object_type not in ('table', 'schema', 'function', 'procedure')
                                       or v_object.object_type = 'table' and v_object.object_name = v_permit.subject),
                               false) then
            perform audit_guard.refuse_v1(tg_tag || ' of ' || v_object.object_identity);
        end if;
    end loop;
end
$$;

create function audit_guard.at_rewrite_v1() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass := pg_event_trigger_table_rewrite_oid();
begin
    if exists (select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
               where pg_class.oid = v_relation and nspname in ('audit', 'audit_guard'))
       and (select kind from audit_guard.standing_v1()) is distinct from 'migration' then
        perform audit_guard.refuse_v1(tg_tag || ' of ' || v_relation);
    end if;
end
$$;

-- After the log's own functions have run, the path they were found on may be another: it is set again before anything
-- else is looked up. What was wrong before stays on record as wrong.
create function audit_guard.close_v1(p_kind text, p_was_right boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    delete from audit_guard.permit where xid = pg_current_xact_id() and kind = p_kind;
    if p_was_right then
        update audit_guard.shape set digest = audit_guard.shape_v1();
    end if;
end
$$;

create function audit_guard.make_partitions_v1(p_month date) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_right boolean := audit_guard.unchanged_v1();
begin
    insert into audit_guard.permit (xid, kind, subject) values (pg_current_xact_id(), 'partitions', '');
    return query select audit.make_partitions_v1(p_month);
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform audit_guard.close_v1('partitions', v_right);
end
$$;

create function audit_guard.remove_partition_v1(p_class text, p_month date, p_manifest uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_right boolean := audit_guard.unchanged_v1();
begin
    insert into audit_guard.permit (xid, kind, subject)
    values (pg_current_xact_id(), 'expiry', 'payload_' || p_class || to_char(p_month, '_YYYY_MM'));
    perform audit.remove_partition_v1(p_class, p_month, p_manifest);
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform audit_guard.close_v1('expiry', v_right);
end
$$;

-- Refuse unless this very transaction appended an entry that names this text, and it still is there and will be integrated.
create function audit_guard.require_announcement_v1(p_entry_id uuid, p_text text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform from audit.entry join audit.pending using (entry_id)
    where entry.entry_id = p_entry_id
          and entry.xmin = pg_current_xact_id()::xid
          and convert_from(canonical, 'UTF8')::jsonb ->> 'type' = 'schema.change'
          and convert_from(canonical, 'UTF8')::jsonb -> 'body' ->> 'digest'
              = 'sha256:' || encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
    if not found then
        perform audit_guard.refuse_v1('a change that no entry of this transaction announces');
    end if;
end
$$;

-- Run the text of a migration as the owner of the log. It may not take its own announcement away: the log is looked at
-- again when it has run.
create function audit_guard.apply_v1(p_entry_id uuid, p_text text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_right boolean := audit_guard.unchanged_v1();
begin
    perform audit_guard.require_announcement_v1(p_entry_id, p_text);
    insert into audit_guard.permit (xid, kind, subject) values (pg_current_xact_id(), 'migration', p_entry_id::text);
    perform audit.run_migration_v1(p_text);
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform audit_guard.require_announcement_v1(p_entry_id, p_text);
    perform audit_guard.close_v1('migration', v_right);
end
$$;

alter function audit_guard.close_v1(text, boolean) owner to ofrecord_guard;
alter function audit_guard.make_partitions_v1(date) owner to ofrecord_guard;
alter function audit_guard.remove_partition_v1(text, date, uuid) owner to ofrecord_guard;
alter function audit_guard.require_announcement_v1(uuid, text) owner to ofrecord_guard;
alter function audit_guard.apply_v1(uuid, text) owner to ofrecord_guard;

revoke all on schema audit_guard from public;
revoke all on all tables in schema audit_guard from public;
revoke all on all routines in schema audit_guard from public;

grant usage on schema audit_guard to ofrecord_guard, ofrecord_owner, ofrecord_auditor, ofrecord_service;
grant select, insert, delete on audit_guard.permit to ofrecord_guard;
grant select, update on audit_guard.shape to ofrecord_guard;
grant execute on all routines in schema audit_guard to ofrecord_guard;
grant execute on function audit_guard.make_partitions_v1(date), audit_guard.remove_partition_v1(text, date, uuid),
    audit_guard.apply_v1(uuid, text) to ofrecord_owner;
grant execute on function audit_guard.unchanged_v1() to ofrecord_owner, ofrecord_auditor, ofrecord_service;

grant usage on schema audit to ofrecord_guard;
grant select on audit.entry, audit.pending to ofrecord_guard;
grant execute on function audit.make_partitions_v1(date), audit.remove_partition_v1(text, date, uuid),
    audit.run_migration_v1(text) to ofrecord_guard;

insert into audit_guard.shape (digest) values (audit_guard.shape_v1());

create event trigger audit_guard_start on ddl_command_start execute function audit_guard.at_start_v1();
create event trigger audit_guard_end on ddl_command_end execute function audit_guard.at_end_v1();
create event trigger audit_guard_drop on sql_drop execute function audit_guard.at_drop_v1();
create event trigger audit_guard_rewrite on table_rewrite execute function audit_guard.at_rewrite_v1();
alter event trigger audit_guard_start enable always;
alter event trigger audit_guard_end enable always;
alter event trigger audit_guard_drop enable always;
alter event trigger audit_guard_rewrite enable always;
