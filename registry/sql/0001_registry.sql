-- The registry: model versions with their manifest, artifact and reference by digest, and reason catalogues.
-- What is stored once is never changed; only a version's status moves, and only through set_status_v1.

create schema registry;

create table registry.blob (
    digest  text primary key check (digest = 'sha256:' || encode(sha256(content), 'hex')),
    content bytea not null,
    size    bigint not null generated always as (octet_length(content)) stored
);
alter table registry.blob alter column content set storage external;

create table registry.catalogue (
    name       text not null check (name <> ''),
    version    text not null check (version <> ''),
    digest     text not null check (digest = 'sha256:' || encode(sha256(body), 'hex')),
    body       bytea not null,
    created_at timestamptz not null,
    primary key (name, version)
);

create table registry.model_version (
    model              text not null check (model ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    version            text not null check (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    manifest_digest    text not null references registry.blob,
    artifact_digest    text not null references registry.blob,
    uploaded_digest    text not null references registry.blob,
    reference_digest   text not null references registry.blob,
    reference_kind     text not null,
    reference_rows     integer not null check (reference_rows > 0),
    reference_band     double precision,
    family             text not null,
    profile            text not null,
    catalogue_name     text not null,
    catalogue_version  text not null,
    capability         bytea not null,
    registered_entry   uuid not null,
    created_at         timestamptz not null,
    status             text not null default 'registered' check (status in ('registered', 'approved', 'retired')),
    primary key (model, version),
    foreign key (catalogue_name, catalogue_version) references registry.catalogue
);
create unique index one_approved_version on registry.model_version (model) where status = 'approved';

create table registry.status_change (
    change     bigint generated always as identity primary key,
    model      text not null,
    version    text not null,
    status     text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    note       text,
    entry_id   uuid not null,
    foreign key (model, version) references registry.model_version
);
create index status_change_of_version on registry.status_change (model, version, change);

-- Approve or retire a version. Approval retires the one approved before. Returns the versions whose status changed,
-- none when the version had that status already. An unknown version raises no_data_found (P0002).
create function registry.set_status_v1(
    in_model text, in_version text, in_status text, in_at timestamptz, in_by text, in_note text, in_entry uuid
) returns table (version text, status text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    current text;
begin
    if in_status not in ('approved', 'retired') then
        raise exception 'status % cannot be set', in_status using errcode = 'invalid_parameter_value';
    end if;
    -- Every version of the model is locked in one order, so that two approvals at once follow each other.
    perform 1 from registry.model_version v where v.model = in_model order by v.version for update;
    select v.status into current from registry.model_version v where v.model = in_model and v.version = in_version;
    if not found then
        raise exception 'no such version' using errcode = 'no_data_found';
    end if;
    if current = in_status then
        return;
    end if;
    if in_status = 'approved' then
        return query
            with retired as (
                update registry.model_version v set status = 'retired'
                where v.model = in_model and v.status = 'approved' returning v.version
            ), noted as (
                insert into registry.status_change (model, version, status, changed_at, changed_by, note, entry_id)
                select in_model, r.version, 'retired', in_at, in_by, 'superseded by ' || in_version, in_entry
                from retired r
            )
            select r.version, 'retired'::text from retired r;
    end if;
    update registry.model_version v set status = in_status where v.model = in_model and v.version = in_version;
    insert into registry.status_change (model, version, status, changed_at, changed_by, note, entry_id)
    values (in_model, in_version, in_status, in_at, in_by, in_note, in_entry);
    return query select in_version, in_status;
end
$$;

grant usage on schema registry to ofrecord_service, ofrecord_worker, ofrecord_auditor;
grant select on all tables in schema registry to ofrecord_service, ofrecord_worker, ofrecord_auditor;
grant insert (digest, content) on registry.blob to ofrecord_service;
grant insert on registry.catalogue to ofrecord_service;
-- Not `status`: every version begins as registered.
grant insert (
    model, version, manifest_digest, artifact_digest, uploaded_digest, reference_digest, reference_kind,
    reference_rows, reference_band, family, profile, catalogue_name, catalogue_version, capability,
    registered_entry, created_at
) on registry.model_version to ofrecord_service;
grant execute on function registry.set_status_v1 to ofrecord_service;
