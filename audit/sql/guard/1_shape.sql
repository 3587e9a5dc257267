-- What only a superuser can set up: event triggers that refuse to change the schema of the log. Run in one transaction,
-- and run again it starts afresh. Where there is no superuser the log works without it, and says so.
--
-- A change passes only while a permit of its own transaction stands, and each permit is written, used and taken away
-- inside one function of this schema:
--   partitions  make_partitions_v1: partitions of the payload are created and attached;
--   expiry      remove_partition_v1: one partition is detached and dropped;
--   migration   apply_v1: one text, whose digest an entry of the log names that was appended in the same transaction.
--
-- Functions that a superuser owns run for everybody's commands, so they call nothing and read nothing that another role
-- could replace: they look at the system's catalogs and at this schema. The functions that write permits do call the log's
-- own functions, so no superuser owns them but ofrecord_guard, a role that nobody is a member of and that owns nothing
-- else. A backslash has no place in these bodies: a session can change what it means.

set local event_triggers = off;

do $$
begin
    if not exists (select from pg_roles where rolname = 'ofrecord_guard') then
        create role ofrecord_guard nologin nosuperuser nocreatedb nocreaterole noreplication;
    end if;
exception
    when duplicate_object or unique_violation then null;  -- the roles are the whole server's: another database was first
end
$$;

-- It may have been made before, by somebody who meant to keep it.
alter role ofrecord_guard nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
do $$
declare
    v_holder name;
begin
    for v_holder in select distinct pg_get_userbyid(member) from pg_auth_members where roleid = 'ofrecord_guard'::regrole loop
        execute format('revoke ofrecord_guard from %I cascade', v_holder);
    end loop;
end
$$;

drop event trigger if exists audit_guard_start;
drop event trigger if exists audit_guard_end;
drop event trigger if exists audit_guard_drop;
drop event trigger if exists audit_guard_rewrite;
drop schema if exists audit_guard cascade;
create schema audit_guard;

-- No row is ever committed: the function that writes one takes it away before it returns.
create table audit_guard.permit (
    xid     xid8 not null,
    kind    text not null,
    subject text not null,
    constraint permit_pkey primary key (xid, kind),
    constraint permit_kind check (kind in ('partitions', 'expiry', 'migration'))
);

-- The schema of the log as the last permitted change left it, digested.
create table audit_guard.shape (digest bytea not null);

create function audit_guard.rights_v1(p_rights aclitem[], p_kind "char", p_owner oid) returns text
language sql stable set search_path = pg_catalog, pg_temp
as $$
    select string_agg(right_of.line, ',' order by right_of.line collate "C")
    from (select format('%s=%s/%s%s', pg_get_userbyid(grantee), privilege_type, pg_get_userbyid(grantor), is_grantable) as line
          from aclexplode(coalesce(p_rights, acldefault(p_kind, p_owner)))) right_of
$$;

-- Everything in the catalogs that says what the log's schema is and who may do what in it. Names, never numbers, so that
-- a copy of the database has the same shape, and written in one way whatever a session prefers. Indexes are left out: rebuilding one passes, and makes others for a moment.
create function audit_guard.lines_v1() returns setof text
language sql stable set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off set datestyle = 'ISO, MDY' set intervalstyle = 'postgres' set timezone = 'UTC'
set bytea_output = 'hex' set extra_float_digits = 1 set standard_conforming_strings = on
as $$
    with schema as (select oid, nspname, nspowner, nspacl from pg_namespace where nspname = 'audit'),
    relation as (select pg_class.* from pg_class join schema on relnamespace = schema.oid where relkind not in ('i', 'I'))
    select concat_ws(' ', 'schema', nspname, pg_get_userbyid(nspowner), audit_guard.rights_v1(nspacl, 'n', nspowner))
    from schema
    union all
    select concat_ws(' ', 'relation', relname, relkind, relpersistence, pg_get_userbyid(relowner), relrowsecurity,
                     relforcerowsecurity, relreplident, reloptions::text, pg_get_expr(relpartbound, oid),
                     case when relkind in ('v', 'm') then pg_get_viewdef(oid) end,
                     audit_guard.rights_v1(relacl, case when relkind = 'S' then 's' else 'r' end::"char", relowner))
    from relation
    union all
    select concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attidentity,
                     attstorage, pg_get_expr(adbin, adrelid), audit_guard.rights_v1(attacl, 'c', relowner))
    from relation
    join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    union all
    select concat_ws(' ', 'constraint', conrelid::regclass, confrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
    from pg_constraint
    where contype <> 'n' and (conrelid in (select oid from relation) or confrelid in (select oid from relation))
    union all
    select concat_ws(' ', 'trigger', relname, case when tgisinternal then 'internal' else tgname end, tgtype, tgenabled,
                     tgfoid::regproc, tgqual is null, tgattr::text, encode(tgargs, 'hex'))
    from relation join pg_trigger on tgrelid = relation.oid
    union all
    select concat_ws(' ', 'rule', relname, rulename, ev_type, ev_enabled, is_instead)
    from relation join pg_rewrite on ev_class = relation.oid
    union all
    select concat_ws(' ', 'policy', relname, polname, polcmd, polpermissive, polroles::regrole[]::text,
                     pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    from relation join pg_policy on polrelid = relation.oid
    union all
    select concat_ws(' ', 'child', inhparent::regclass, inhrelid::regclass, inhdetachpending)
    from pg_inherits where inhparent in (select oid from relation)
    union all
    select concat_ws(' ', 'function', proname, pg_get_function_identity_arguments(pg_proc.oid), pg_get_userbyid(proowner),
                     lanname, prokind, prosecdef, provolatile, proconfig::text, pg_get_function_result(pg_proc.oid),
                     encode(sha256(convert_to(prosrc || coalesce(pg_get_function_sqlbody(pg_proc.oid), ''), 'UTF8')), 'hex'),
                     audit_guard.rights_v1(proacl, 'f', proowner))
    from pg_proc join schema on pronamespace = schema.oid join pg_language on pg_language.oid = prolang
    union all
    select concat_ws(' ', 'type', typname, typtype, pg_get_userbyid(typowner))
    from pg_type join schema on typnamespace = schema.oid where typrelid = 0 and typelem = 0
    union all
    select concat_ws(' ', 'default rights', pg_get_userbyid(defaclrole), defaclnamespace = 0, defaclobjtype,
                     audit_guard.rights_v1(defaclacl, defaclobjtype, defaclrole))
    from pg_default_acl, schema where defaclnamespace = schema.oid or (defaclnamespace = 0 and defaclrole = nspowner)
$$;

create function audit_guard.shape_v1() returns bytea
language sql stable set search_path = pg_catalog, pg_temp
as $$
    select sha256(convert_to(coalesce(string_agg(line, chr(10) order by line collate "C"), ''), 'UTF8'))
    from audit_guard.lines_v1() as line
$$;

-- Tell whether the log's schema is as the last permitted change left it; one statement, and so one snapshot.
create function audit_guard.unchanged_v1() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select (select digest from audit_guard.shape) is not distinct from audit_guard.shape_v1()
$$;
