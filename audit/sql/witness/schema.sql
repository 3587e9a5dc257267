-- What a witness remembers, in a file of its own (SQLite): which checkpoints it cosigned, and what it refused.
--
-- `note` is the checkpoint's text with the signatures of the log that were verified, and no other line. Times are seconds
-- since 1970. The row of the largest size is the latest; older ones are kept about one a minute, so that a checkpoint that
-- comes later with another root for the same size is recognised as a fork.
create table if not exists cosigned (
    origin      text    not null,
    size        integer not null check (size >= 0),
    root        blob    not null check (length(root) = 32),
    note        text    not null,
    cosignature text    not null,
    cosigned_at integer not null,
    primary key (origin, size)
) strict;

-- A refused checkpoint that the log's own key had signed, once however often it came, beside the one it contradicts or was
-- not proved to grow out of. `proof` is the one that failed: 32 bytes for each hash.
create table if not exists refused (
    origin      text    not null,
    kind        text    not null check (kind in ('fork', 'unproved')),
    size        integer not null,
    root        blob    not null,
    note        text    not null,
    old_size    integer not null,
    proof       blob    not null,
    against     text    not null,
    first_at    integer not null,
    last_at     integer not null,
    times       integer not null,
    resolved_at integer,
    primary key (origin, size, root)
) strict;
