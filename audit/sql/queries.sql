-- name: append
select outcome, entry_id, leaf_hash, time
from audit.append_v1(%(canonicals)b, %(ciphertexts)b, %(keys)b, %(fingerprints)b);

-- name: limit_statements
select set_config('statement_timeout', %(milliseconds)s, true);

-- name: idempotency
select first.fingerprint, entry.entry_id, entry.leaf_hash, entry.time
from audit.idempotency first join audit.entry entry using (entry_id)
where first.key = %(key)s;

-- name: entry_by_id
select entry.canonical, entry.leaf_hash, leaf.index, payload.ciphertext
from audit.entry entry
left join audit.leaf leaf using (entry_id)
left join audit.payload payload
    on payload.entry_id = entry.entry_id
    and payload.retention_class = entry.retention_class
    and payload.month = date_trunc('month', entry.time at time zone 'UTC')::date
where entry.entry_id = %(entry_id)s;

-- name: entry_id_at
select entry_id from audit.leaf where index = %(index)s;

-- name: entries_about
select entry_id from audit.entry
 where about = %(about)s and (%(type)s::text is null or type = %(type)s)
 order by time, entry_id;

-- name: backlog
select count(*), min(entry.time) from audit.pending join audit.entry entry using (entry_id);

-- name: newest_checkpoint
select tree_size, root, note, signed_at from audit.checkpoint order by tree_size desc limit 1;

-- name: tile
select hashes from audit.tile where level = %(level)s and index = %(index)s;

-- name: leaves
select leaf_hash from audit.leaf where index >= %(start)s and index < %(stop)s order by index;

-- name: leaf_beyond
select index from audit.leaf where index >= %(size)s order by index limit 1;

-- name: tile_roots
select root from audit.tile where level = %(level)s and index >= %(start)s and index < %(stop)s order by index;

-- name: one_snapshot
set transaction isolation level repeatable read;

-- name: integrators_turn
select from audit.integrators_turn turn
where exists (select from audit.pending)
for update of turn skip locked;

-- name: take_pending
with taken as (
    delete from audit.pending
    where entry_id = any (array(select entry_id from audit.pending order by entry_id limit %(limit)s))
    returning entry_id
)
select entry.entry_id, entry.leaf_hash from taken join audit.entry entry using (entry_id) order by entry_id;

-- name: write_leaves
insert into audit.leaf (index, entry_id, leaf_hash)
select %(first)s + o - 1, id, hash from unnest(%(entry_ids)b::uuid[], %(hashes)b::bytea[]) with ordinality as given (id, hash, o);

-- name: write_tiles
insert into audit.tile (level, index, hashes, root)
select * from unnest(%(levels)b::smallint[], %(indexes)b::bigint[], %(hashes)b::bytea[], %(roots)b::bytea[]);

-- name: write_checkpoint
insert into audit.checkpoint (tree_size, root, note, signed_at) values (%(tree_size)s, %(root)s, %(note)s, %(signed_at)s);

-- name: ensure_partitions
select audit.ensure_partitions_v1(%(month)s);

-- name: missing_partitions
select class.name from audit.retention_class class
where to_regclass(format('audit.payload_%%s_%%s', class.name, to_char(%(month)s::date, 'YYYY_MM'))) is null;

-- name: publish_verifier_key
select audit.publish_verifier_key_v1(%(role)s, %(vkey)s, %(since)s);

-- name: verifier_keys
select key.role, key.vkey, least(greatest(key.since, '2000-01-01 UTC'), '9999-12-31 UTC'), past.tree_size, past.since
from audit.verifier_key key
left join lateral (
    select tree_size, since from audit.verifier_key_limit
    where vkey = key.vkey and since >= '2000-01-01 UTC' and since < '9999-12-31 UTC'
    order by said desc
    limit 1
) past on true
order by key.role, key.since desc, key.vkey;

-- Whether a limit would be made known for the first time.
-- name: is_new_limit
select exists (select from audit.verifier_key where vkey = %(vkey)s and role = 'checkpoint')
    and not exists (select from audit.verifier_key_limit where vkey = %(vkey)s and tree_size = %(tree_size)s);

-- The first checkpoint beyond a limit that has a line of one key and none of the others.
-- name: signed_beyond
select note from audit.checkpoint
where tree_size > %(tree_size)s and strpos(note, %(line)s) > 0
    and not exists (select from unnest(%(other_lines)s::text[]) as other where strpos(note, other) > 0)
order by tree_size
limit 1;

-- name: publish_key_limit
select audit.publish_key_limit_v1(%(vkey)s, %(tree_size)s, %(since)s);

-- name: full_tile
select hashes, root from audit.tile where level = %(level)s and index = %(index)s;

-- name: unsecured_tables
select relation.oid::regclass::text
from pg_class relation join pg_namespace namespace on namespace.oid = relation.relnamespace
where namespace.nspname = 'audit' and relation.relkind in ('r', 'p')
    and relation.relname not in ('pending', 'idempotency', 'retention_class')
    and not exists (
        select from pg_trigger
        where tgrelid = relation.oid and tgname = 'append_only' and tgenabled = 'A' and tgtype = 2 + 8 + 16 + 32
    )
order by 1;

-- name: guard_digest
with guard as (select oid from pg_namespace where nspname = 'audit_guard'),
part (line) as (
    select concat_ws(' ', proname, proargtypes::text, proallargtypes::text, proargmodes::text, prorettype::oid, lanname, prokind,
                     prosecdef, provolatile, proisstrict, proconfig::text, prosrc, probin, proacl::text,
                     case when rolsuper then 'superuser' else rolname end)
    from pg_proc join guard on pronamespace = guard.oid join pg_roles on pg_roles.oid = proowner
    join pg_language on pg_language.oid = prolang
    union all
    select concat_ws(' ', relname, relkind, rolsuper, relacl::text, relhasrules, relrowsecurity,
                     (select count(*) from pg_trigger where tgrelid = pg_class.oid))
    from pg_class join guard on relnamespace = guard.oid join pg_roles on pg_roles.oid = relowner
    where relkind not in ('i', 'I')
)
select 'sha256:' || encode(sha256(convert_to(string_agg(line, chr(10) order by line collate "C"), 'UTF8')), 'hex') from part;

-- name: ddl_guard
with guard as (select oid, nspowner from pg_namespace where nspname = 'audit_guard'),
expected (name, event, function) as (
    values ('audit_guard_start', 'ddl_command_start', 'at_start_v1'), ('audit_guard_end', 'ddl_command_end', 'at_end_v1'),
           ('audit_guard_drop', 'sql_drop', 'at_drop_v1'), ('audit_guard_rewrite', 'table_rewrite', 'at_rewrite_v1')
),
standing as (
    select evt.oid, evt.evtname
    from expected
    join pg_event_trigger evt on evtname = name and evtevent = event and evtenabled = 'A' and evttags is null
    join pg_proc on pg_proc.oid = evtfoid and proname = function
    join guard on guard.oid = pronamespace
    join pg_roles trigger_owner on trigger_owner.oid = evtowner and trigger_owner.rolsuper
    join pg_roles function_owner on function_owner.oid = proowner and function_owner.rolsuper
    join pg_roles schema_owner on schema_owner.oid = nspowner and schema_owner.rolsuper
)
select case
    when not exists (select from guard)
         and not exists (select from pg_event_trigger join expected on name = evtname)
         and not exists (
             select from audit.entry
             where type = 'schema.change' and convert_from(canonical, 'UTF8')::jsonb -> 'body' ->> 'room' = 'audit/guard'
         ) then 'absent'
    when (select count(*) from standing) = 4
         and (select obj_description(oid, 'pg_event_trigger') from standing where evtname = 'audit_guard_end') = %(digest)s
         and coalesce(current_setting('event_triggers', true), 'on') = 'on'
         and not exists (select from pg_db_role_setting, unnest(setconfig) as setting
                         where setting like 'event_triggers=%%' and setting <> 'event_triggers=on')
         and exists (select from pg_roles where rolname = 'ofrecord_guard' and not rolsuper and not rolcanlogin)
         and not exists (select from pg_auth_members
                         join pg_roles guarding on guarding.oid = roleid and guarding.rolname = 'ofrecord_guard'
                         join pg_roles holder on holder.oid = member and not holder.rolsuper) then 'present'
    else 'disabled'
end;

-- name: is_schema_recorded
select to_regprocedure('audit_guard.unchanged_v1()') is not null;

-- name: schema_unchanged
select audit_guard.unchanged_v1();

-- name: guard_installed
select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'audit_guard';

-- name: may_install_guard
select rolsuper from pg_roles where rolname = current_user;

-- name: is_guarded
select to_regprocedure('audit_guard.apply_v1(uuid, text)') is not null;

-- name: has_log
select to_regprocedure('audit.append_v1(bytea[], bytea[], bytea[], bytea[])') is not null;

-- name: announce
select entry_id from audit.append_v1(%(canonicals)b, %(nothing)b::bytea[], %(nothing)b::bytea[], %(nothing)b::bytea[]);

-- name: apply_change
select audit_guard.apply_v1(%(entry_id)s, %(text)s);

-- name: schema_changes
select body ->> 'room', body ->> 'name', body ->> 'digest'
from (select time, entry_id, convert_from(canonical, 'UTF8')::jsonb -> 'body' as body
      from audit.entry where type = 'schema.change') change
order by time, entry_id;

-- name: foreign_parts
select concat_ws(' ', 'trigger', tgname, 'on', tgrelid::regclass)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where relnamespace = 'audit'::regnamespace and tgname <> 'append_only'
union all
select concat_ws(' ', 'rule', rulename, 'on', ev_class::regclass)
from pg_rewrite join pg_class on pg_class.oid = ev_class
where relnamespace = 'audit'::regnamespace and relkind in ('r', 'p')
union all
select concat_ws(' ', 'policy', polname, 'on', polrelid::regclass)
from pg_policy join pg_class on pg_class.oid = polrelid where relnamespace = 'audit'::regnamespace
union all
select concat_ws(' ', 'row level security on', pg_class.oid::regclass)
from pg_class where relnamespace = 'audit'::regnamespace and relrowsecurity
union all
select concat_ws(' ', 'table', inhrelid::regclass, 'under', inhparent::regclass)
from pg_inherits join pg_class parent on parent.oid = inhparent join pg_class child on child.oid = inhrelid
where parent.relnamespace = 'audit'::regnamespace and child.relnamespace <> parent.relnamespace
order by 1;

-- name: function_sources
select nspname || '.' || proname, prosrc
from pg_proc join pg_namespace on pg_namespace.oid = pronamespace where nspname in ('audit', 'audit_guard')
order by 1;

-- name: next_checkpoint
(select tree_size, root, note, signed_at from audit.checkpoint
  where tree_size > %(after)s and tree_size <= %(after)s + %(most)s order by tree_size desc limit 1)
union all
(select tree_size, root, note, signed_at from audit.checkpoint
  where tree_size > %(after)s order by tree_size limit 1)
limit 1;

-- name: entries_between
select leaf.index, entry.canonical
from audit.leaf leaf join audit.entry entry using (entry_id)
where leaf.index >= %(start)s and leaf.index < %(stop)s
order by leaf.index;
