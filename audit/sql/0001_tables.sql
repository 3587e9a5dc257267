-- The log and its tree. Everything here is written once; what may be taken away again is said at its table.

create schema audit;

-- The clear part of every entry: `canonical` is the entry, the other columns are read out of it by append_v1.
create table audit.entry (
    entry_id        uuid        not null,
    type            text        not null,
    time            timestamptz not null,
    about           uuid,
    key_id          uuid,
    retention_class text        not null,
    canonical       bytea       not null,
    leaf_hash       bytea       not null,
    constraint entry_pkey primary key (entry_id),
    constraint entry_size check (octet_length(canonical) <= 65535),
    constraint entry_leaf_hash check (octet_length(leaf_hash) = 32)
);
create index entry_time on audit.entry (time);
create index entry_type_time on audit.entry (type, time);
create index entry_about on audit.entry (about) where about is not null;
create index entry_key on audit.entry (key_id) where key_id is not null;

-- The encrypted part, apart so that it can expire: by retention class, then by month. There is no default partition: a
-- payload that no partition was made for is refused, not misplaced.
create table audit.payload (
    entry_id        uuid  not null,
    retention_class text  not null,
    month           date  not null,
    ciphertext      bytea not null,
    constraint payload_pkey primary key (entry_id, retention_class, month),
    constraint payload_size check (octet_length(ciphertext) <= 4194304 + 60)
) partition by list (retention_class);
alter table audit.payload alter column ciphertext set storage external;

create table audit.retention_class (
    name text not null,
    constraint retention_class_pkey primary key (name)
);

-- Committed but not yet in the tree. The integrator deletes what it integrates; nothing is ever looked for "after the
-- last one", so an entry that commits late is not lost.
create table audit.pending (
    entry_id uuid not null,
    constraint pending_pkey primary key (entry_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- The leaves in the order the integrator gave them. A primary key on the index makes a second integrator harmless.
create table audit.leaf (
    index     bigint not null,
    entry_id  uuid   not null,
    leaf_hash bytea  not null,
    constraint leaf_pkey primary key (index),
    constraint leaf_entry_once unique (entry_id),
    constraint leaf_index check (index >= 0),
    constraint leaf_leaf_hash check (octet_length(leaf_hash) = 32)
);

-- Full tiles, 256 hashes wide (C2SP tlog-tiles); `root` is also the tile's hash on the level above.
create table audit.tile (
    level  smallint not null,
    index  bigint   not null,
    hashes bytea    not null,
    root   bytea    not null,
    constraint tile_pkey primary key (level, index),
    constraint tile_position check (level between 0 and 7 and index >= 0),
    constraint tile_size check (octet_length(hashes) = 8192 and octet_length(root) = 32)
);
alter table audit.tile alter column hashes set storage external;

-- One signed checkpoint per size that was ever published. An empty tree has none.
create table audit.checkpoint (
    tree_size bigint      not null,
    root      bytea       not null,
    note      text        not null,
    signed_at timestamptz not null,
    constraint checkpoint_pkey primary key (tree_size),
    constraint checkpoint_size check (tree_size > 0),
    constraint checkpoint_root check (octet_length(root) = 32)
);

-- What was appended under which key: keyed HMACs, no plain value. Rows may be taken away by an erasure.
create table audit.idempotency (
    key         bytea not null,
    fingerprint bytea not null,
    entry_id    uuid  not null,
    constraint idempotency_pkey primary key (key),
    constraint idempotency_sizes check (octet_length(key) = 32 and octet_length(fingerprint) = 32)
);
create index idempotency_entry on audit.idempotency (entry_id);

-- Every public key that ever signed something of this log.
create table audit.verifier_key (
    vkey  text        not null,
    role  text        not null,
    since timestamptz not null,
    constraint verifier_key_pkey primary key (vkey),
    constraint verifier_key_role check (role in ('receipt', 'checkpoint', 'witness'))
);
