-- name: latest
select size, root, note, cosignature, cosigned_at from cosigned where origin = :origin order by size desc limit 1;

-- name: cosigned_at_size
select size, root, note, cosignature, cosigned_at from cosigned where origin = :origin and size = :size;

-- name: keep_cosigned
insert or replace into cosigned (origin, size, root, note, cosignature, cosigned_at)
values (:origin, :size, :root, :note, :cosignature, :now);

-- name: thin
delete from cosigned
where origin = :origin and size = :former
    and exists (
        select 1 from cosigned older
        where older.origin = cosigned.origin and older.size < cosigned.size
            and older.cosigned_at / 60 = cosigned.cosigned_at / 60
    );

-- name: refused_before
select kind from refused where origin = :origin and size = :size and root = :root;

-- name: count_refused
select count(*) from refused where origin = :origin and kind = :kind;

-- name: keep_refused
insert into refused (origin, kind, size, root, note, old_size, proof, against, first_at, last_at, times)
values (:origin, :kind, :size, :root, :note, :old_size, :proof, :against, :now, :now, 1)
on conflict (origin, size, root) do update set
    last_at = excluded.last_at,
    times = refused.times + 1,
    against = case when refused.kind <> excluded.kind and excluded.kind = 'fork' then excluded.against else refused.against end,
    resolved_at = case when excluded.kind = 'fork' then null else refused.resolved_at end,
    kind = case when refused.kind = 'fork' then 'fork' else excluded.kind end;

-- name: forget_unproved
delete from refused
where origin = :origin and kind = 'unproved' and rowid not in (
    select rowid from refused where origin = :origin and kind = 'unproved'
    order by resolved_at is null desc, last_at desc, size desc limit :limit
);

-- name: convict
update refused set kind = 'fork', against = :against, last_at = :now, resolved_at = null
where origin = :origin and size = :size and root <> :root and kind = 'unproved'
returning origin, kind, size, root, note, old_size, proof, against, first_at, last_at, times, resolved_at;

-- name: resolve
update refused set resolved_at = :now
where origin = :origin and size <= :size and kind = 'unproved' and resolved_at is null;

-- name: all_latest
select origin, size, root, note, cosignature, cosigned_at from cosigned outermost
where size = (select max(size) from cosigned where origin = outermost.origin)
order by origin;

-- name: all_refused
select origin, kind, size, root, note, old_size, proof, against, first_at, last_at, times, resolved_at
from refused order by kind = 'fork' desc, last_at desc, size desc limit :limit;
