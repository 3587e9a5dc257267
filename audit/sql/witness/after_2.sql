-- What was only behind said nothing of the log; the submission is no longer kept.
insert into refused (origin, kind, size, root, note, old_size, proof, against, first_at, last_at, times, resolved_at)
select
    origin, case kind when 'fork' then 'fork' else 'unproved' end, size, root, note, 0, x'', against,
    first_at, last_at, times, resolved_at
from refused_1 where kind <> 'behind';
drop table refused_1;
