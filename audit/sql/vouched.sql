-- What others said of checkpoints: witnesses by cosignatures, time-stamp authorities by stamps.

-- name: cosignatures
select line from audit.cosignature where tree_size = %(tree_size)s order by key_id;

-- name: latest_cosignatures
select distinct on (cosignature.key_id) cosignature.key_id, cosignature.tree_size,
       case when cosigned_at >= '2000-01-01 UTC' and cosigned_at < '9999-12-31 UTC' then cosigned_at end,
       cosignature.line, checkpoint.note
from audit.cosignature join audit.checkpoint using (tree_size)
where cosignature.tree_size <= %(tree_size)s
order by cosignature.key_id, cosignature.tree_size desc;

-- name: cosigned_size
select coalesce(max(tree_size), 0) from audit.cosignature where key_id = %(key_id)s;

-- name: newest_cosigned
select tree_size, root, note, signed_at from audit.checkpoint
where tree_size = (select max(tree_size) from audit.cosignature) and tree_size > %(index)s;

-- name: newest_cosigned_by
select tree_size, root, note, signed_at from audit.checkpoint
where tree_size = (select max(tree_size) from audit.cosignature where key_id = any (%(key_ids)s));

-- name: checkpoint_at
select tree_size, root, note, signed_at from audit.checkpoint where tree_size = %(tree_size)s;

-- name: waits_for_witnesses
select exists (select from audit.checkpoint where tree_size > %(tree_size)s and signed_at < %(before)s);

-- name: keep_cosignature
insert into audit.cosignature (tree_size, key_id, line, cosigned_at)
values (%(tree_size)s, %(key_id)s, %(line)s, %(cosigned_at)s)
on conflict do nothing;

-- name: newest_timestamp
select tree_size, stamped_at from audit.timestamp where authority = %(authority)s order by tree_size desc limit 1;

-- name: first_timestamp
select checkpoint.tree_size, stamp.authority, stamp.stamped_at, stamp.response, checkpoint.note
from audit.timestamp stamp join audit.checkpoint checkpoint using (tree_size)
where tree_size >= %(tree_size)s
order by tree_size, stamp.stamped_at, stamp.authority
limit 1;

-- name: keep_timestamp
insert into audit.timestamp (tree_size, authority, stamped_at, response)
values (%(tree_size)s, %(authority)s, %(stamped_at)s, %(response)s)
on conflict do nothing;

-- name: standing
select (select count(*) from audit.pending),
       (select entry.time from audit.pending join audit.entry entry using (entry_id) order by entry_id limit 1),
       coalesce((select max(tree_size) from audit.checkpoint), 0);

-- name: cosigned_sizes
select split_part(key.vkey, '+', 1),
       coalesce((select max(tree_size) from audit.cosignature
                  where key_id = split_part(key.vkey, '+', 1) || '+' || split_part(key.vkey, '+', 2)), 0)
from audit.verifier_key key
where key.role = 'witness';
