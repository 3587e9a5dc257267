-- Registered catalogues, and which one words the reasons of a version. A catalogue is never changed; which one a
-- version uses moves only through set_catalogue_v1, and each move stays here.

-- Null for texts that came inside a manifest: those are in the entry of that registration.
alter table registry.catalogue add column registered_entry uuid;

create table registry.catalogue_change (
    change            bigint generated always as identity primary key,
    model             text not null,
    version           text not null,
    catalogue_name    text not null,
    catalogue_version text not null,
    changed_at        timestamptz not null,
    changed_by        text not null,
    note              text,
    entry_id          uuid not null,
    foreign key (model, version) references registry.model_version,
    foreign key (catalogue_name, catalogue_version) references registry.catalogue
);
create index catalogue_change_of_version on registry.catalogue_change (model, version, change);

-- Give a version another catalogue. Returns whether that changed anything. An unknown version raises no_data_found
-- (P0002), an unknown catalogue a foreign key violation.
create function registry.set_catalogue_v1(
    in_model text, in_version text, in_name text, in_catalogue_version text, in_at timestamptz, in_by text,
    in_note text, in_entry uuid
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    current record;
begin
    select v.catalogue_name, v.catalogue_version into current
    from registry.model_version v where v.model = in_model and v.version = in_version for update;
    if not found then
        raise exception 'no such version' using errcode = 'no_data_found';
    end if;
    if current.catalogue_name = in_name and current.catalogue_version = in_catalogue_version then
        return false;
    end if;
    update registry.model_version v set catalogue_name = in_name, catalogue_version = in_catalogue_version
    where v.model = in_model and v.version = in_version;
    insert into registry.catalogue_change (
        model, version, catalogue_name, catalogue_version, changed_at, changed_by, note, entry_id
    ) values (in_model, in_version, in_name, in_catalogue_version, in_at, in_by, in_note, in_entry);
    return true;
end
$$;

grant select on registry.catalogue_change to ofrecord_service, ofrecord_worker, ofrecord_auditor;
grant execute on function registry.set_catalogue_v1 to ofrecord_service;
