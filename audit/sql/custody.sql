-- name: forget_indexes
select audit.forget_indexes_v1(%(requested)s, %(key_ids)s);

-- name: entry_ids_of_keys
select entry_id from audit.entry where key_id = any (%(key_ids)s) order by entry_id;

-- name: partitions
select class.name, to_date(right(relation.relname, 7), 'YYYY_MM')
from pg_class relation
join audit.retention_class class on relation.relname ~ ('^payload_' || class.name || '_[0-9]{4}_[0-9]{2}$')
where relation.relnamespace = 'audit'::regnamespace and relation.relispartition
order by 2, 1;

-- name: private_entries
select entries, entries_digest from audit.private_entries_v1(%(retention_class)s, %(month)s);

-- name: keys_of_month
select entry_id, key_id from audit.entry
where retention_class = %(retention_class)s and key_id is not null and entry_id > %(after)s
  and time >= %(month)s::date::timestamp at time zone 'UTC'
  and time < (%(month)s::date + interval '1 month') at time zone 'UTC'
order by entry_id limit %(limit)s;

-- name: is_integrated
select exists (select from audit.leaf where entry_id = %(entry_id)s);

-- name: drop_expired_partition
select audit.drop_expired_partition_v1(%(retention_class)s, %(month)s, %(manifest)s);
