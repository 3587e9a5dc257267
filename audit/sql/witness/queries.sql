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

-- name: keep_refused
insert into refused (origin, kind, size, root, note, submission, against, first_at, last_at, times)
values (:origin, :kind, :size, :root, :note, :submission, :against, :now, :now, 1)
on conflict (origin, size, root) do update set
    last_at = excluded.last_at,
    times = refused.times + 1,
    kind = case when excluded.kind = 'behind' then refused.kind else excluded.kind end
returning times;

-- name: resolve
update refused set resolved_at = :now
where origin = :origin and size = :size and root = :root and kind <> 'fork' and resolved_at is null;

-- name: all_latest
select origin, size, root, note, cosignature, cosigned_at from cosigned outermost
where size = (select max(size) from cosigned where origin = outermost.origin)
order by origin;

-- name: all_refused
select origin, kind, size, root, note, against, first_at, last_at, times, resolved_at
from refused order by last_at desc, size desc limit :limit;
