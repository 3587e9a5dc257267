-- name: export_snapshot
select pg_export_snapshot();

-- Whether others that are lent this transaction's snapshot see what it sees.
-- name: can_lend_snapshot
select current_setting('transaction_isolation') in ('repeatable read', 'serializable') and pg_current_xact_id_if_assigned() is null;

-- name: utc
select set_config('TimeZone', 'UTC', true);

-- name: counts
select (select count(*) from audit.leaf), (select count(*) from audit.entry), (select count(*) from audit.payload),
       (select count(*) from audit.pending), (select count(*) from audit.tile),
       (select coalesce(max(tree_size), 0) from audit.checkpoint);

-- name: leaves
select index, entry_id, leaf_hash from audit.leaf where index >= %(start)s and index < %(stop)s order by index;

-- name: leaves_from
select index from audit.leaf where index >= %(start)s order by index limit 100;

-- name: entries
select entry_id, canonical, leaf_hash, type, time, about, key_id, retention_class
from audit.entry
where entry_id = any (array(select entry_id from audit.leaf where index >= %(start)s and index < %(stop)s));

-- name: payloads
select entry_id, ciphertext
from audit.payload
where retention_class = %(retention_class)s and month = %(month)s
    and entry_id = any (array(select entry_id from audit.leaf where index >= %(start)s and index < %(stop)s));

-- name: tiles
select index, hashes, root from audit.tile where level = 0 and index >= %(start)s and index < %(stop)s;

-- name: checkpoints
-- A time that no calendar here knows comes as none.
select tree_size, root, note, case when signed_at >= '2000-01-01 UTC' and signed_at < '9999-12-31 UTC' then signed_at end
from audit.checkpoint
where tree_size > %(start)s and tree_size <= %(stop)s
order by tree_size;

-- name: signed_before
select signed_at from audit.checkpoint
where tree_size <= %(start)s and signed_at >= '2000-01-01 UTC' and signed_at < '9999-12-31 UTC'
order by tree_size desc
limit 1;

-- name: checkpoints_beyond
select tree_size, root, note from audit.checkpoint where tree_size > %(size)s order by tree_size limit 100;

-- name: cosignatures
select tree_size, key_id, line, case when cosigned_at >= '2000-01-01 UTC' and cosigned_at < '9999-12-31 UTC' then cosigned_at end
from audit.cosignature
where tree_size > %(start)s and tree_size <= %(stop)s
order by tree_size, key_id;

-- name: stamps
select tree_size, authority, case when stamped_at >= '2000-01-01 UTC' and stamped_at < '9999-12-31 UTC' then stamped_at end, response
from audit.timestamp
where tree_size > %(start)s and tree_size <= %(stop)s
order by tree_size, authority;

-- name: vouched_beyond
select 'cosignature', tree_size, key_id from audit.cosignature where tree_size > %(size)s
union all
select 'stamp', tree_size, authority from audit.timestamp where tree_size > %(size)s
order by 2, 1, 3
limit 100;

-- name: newest
select root, note from audit.checkpoint where tree_size = %(tree_size)s;

-- name: pending
select entry.entry_id, entry.canonical, entry.leaf_hash, entry.type, entry.time, entry.about, entry.key_id,
       entry.retention_class, payload.ciphertext
from audit.pending
join audit.entry entry on entry.entry_id = pending.entry_id
left join audit.payload payload
    on payload.entry_id = entry.entry_id
    and payload.retention_class = entry.retention_class
    and payload.month = date_trunc('month', entry.time at time zone 'UTC')::date;

-- name: pending_without_entry
select pending.entry_id from audit.pending left join audit.entry entry using (entry_id)
where entry.entry_id is null
limit 100;

-- name: pending_leaves
select pending.entry_id from audit.pending join audit.leaf leaf using (entry_id) limit 100;

-- name: loose_entries
select entry.entry_id
from audit.entry entry
where not exists (select from audit.leaf where leaf.entry_id = entry.entry_id)
    and not exists (select from audit.pending where pending.entry_id = entry.entry_id)
limit 100;

-- name: loose_payloads
select payload.entry_id from audit.payload payload
where not exists (
    select from audit.entry entry
    where entry.entry_id = payload.entry_id
        and entry.retention_class = payload.retention_class
        and date_trunc('month', entry.time at time zone 'UTC')::date = payload.month
)
limit 100;

-- name: manifests
select leaf.index, entry.entry_id, entry.canonical,
       (select case when signed_at >= '2000-01-01 UTC' and signed_at < '9999-12-31 UTC' then signed_at end
        from audit.checkpoint where tree_size > leaf.index order by tree_size limit 1)
from audit.entry entry left join audit.leaf leaf on leaf.entry_id = entry.entry_id
where entry.type = 'retention.expired'
    and (leaf.entry_id is not null or exists (select from audit.pending where pending.entry_id = entry.entry_id))
order by entry.time, entry.entry_id;

-- name: private_entries
select entry.entry_id, leaf.index is null or leaf.index > %(index)s
from audit.entry entry left join audit.leaf leaf on leaf.entry_id = entry.entry_id
where retention_class = %(retention_class)s and key_id is not null
    and time >= %(month)s::date::timestamp at time zone 'UTC'
    and time < (%(month)s::date + interval '1 month') at time zone 'UTC'
order by entry.entry_id;

-- name: payloads_of
select entry_id from audit.payload
where retention_class = %(retention_class)s and month = %(month)s and entry_id = any (%(entry_ids)s);
