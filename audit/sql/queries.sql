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

-- name: tile_roots
select root from audit.tile where level = %(level)s and index >= %(start)s and index < %(stop)s order by index;

-- name: one_snapshot
set transaction isolation level repeatable read;

-- name: integrators_turn
select pg_try_advisory_xact_lock(hashtext('audit.integrate'));

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
select role, vkey, since from audit.verifier_key order by role, since desc, vkey;

-- name: log_from_start
select leaf.index, leaf.entry_id, leaf.leaf_hash, entry.canonical, entry.leaf_hash, payload.ciphertext,
       entry.type, entry.time, entry.about, entry.key_id, entry.retention_class
from audit.leaf leaf
left join audit.entry entry on entry.entry_id = leaf.entry_id
left join audit.payload payload
    on payload.entry_id = leaf.entry_id
    and payload.retention_class = entry.retention_class
    and payload.month = date_trunc('month', entry.time at time zone 'UTC')::date
order by leaf.index;

-- name: all_checkpoints
select tree_size, root, note from audit.checkpoint order by tree_size;

-- name: full_tile
select hashes, root from audit.tile where level = %(level)s and index = %(index)s;

-- name: count_tiles
select count(*) from audit.tile;

-- name: count_pending
select count(*) from audit.pending;

-- name: pending_entries
select entry.entry_id, entry.canonical, entry.leaf_hash
from audit.pending join audit.entry entry using (entry_id);

-- name: pending_without_entry
select pending.entry_id from audit.pending left join audit.entry entry using (entry_id)
where entry.entry_id is null
limit 100;

-- name: loose_entries
select entry.entry_id, pending.entry_id is not null
from audit.entry entry
left join audit.leaf leaf using (entry_id)
left join audit.pending pending using (entry_id)
where (leaf.entry_id is null) = (pending.entry_id is null)
limit 100;

-- name: loose_payloads
select payload.entry_id from audit.payload left join audit.entry entry using (entry_id)
where entry.entry_id is null
limit 100;

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
