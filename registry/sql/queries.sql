-- name: insert_blob
insert into registry.blob (digest, content) values (%(digest)s, %(content)s) on conflict do nothing

-- name: read_blob
select content from registry.blob where digest = %(digest)s

-- name: insert_catalogue
insert into registry.catalogue (name, version, digest, body, created_at, registered_entry)
values (%(name)s, %(version)s, %(digest)s, %(body)s, %(created_at)s, %(registered_entry)s) on conflict do nothing

-- name: read_catalogue
select name, version, digest, body from registry.catalogue where name = %(name)s and version = %(version)s

-- name: insert_version
insert into registry.model_version (
    model, version, manifest_digest, artifact_digest, uploaded_digest, reference_digest, reference_kind,
    reference_rows, reference_band, family, profile, catalogue_name, catalogue_version, capability,
    registered_entry, created_at
) values (
    %(model)s, %(version)s, %(manifest_digest)s, %(artifact_digest)s, %(uploaded_digest)s, %(reference_digest)s,
    %(reference_kind)s, %(reference_rows)s, %(reference_band)s, %(family)s, %(profile)s, %(catalogue_name)s,
    %(catalogue_version)s, %(capability)s, %(registered_entry)s, %(created_at)s
) on conflict do nothing

-- name: version
select v.*, c.digest as catalogue_digest
from registry.model_version v
join registry.catalogue c on c.name = v.catalogue_name and c.version = v.catalogue_version
where v.model = %(model)s and v.version = %(version)s

-- name: approved
select v.*, c.digest as catalogue_digest
from registry.model_version v
join registry.catalogue c on c.name = v.catalogue_name and c.version = v.catalogue_version
where v.model = %(model)s and v.status = 'approved'

-- name: serving
select model, version, manifest_digest, artifact_digest, uploaded_digest, reference_digest, reference_kind,
    reference_band, catalogue_name, catalogue_version, status
from registry.model_version
where model = %(model)s and (version = %(version)s or (%(version)s::text is null and status = 'approved'))

-- name: all_serving
select model, version, manifest_digest, artifact_digest, uploaded_digest, reference_digest, reference_kind,
    reference_band, catalogue_name, catalogue_version, status
from registry.model_version
where status = 'approved'
order by model

-- name: models
select distinct model from registry.model_version
where model > %(after)s
order by model
limit %(limit)s

-- name: versions_of
select v.*, c.digest as catalogue_digest
from registry.model_version v
join registry.catalogue c on c.name = v.catalogue_name and c.version = v.catalogue_version
where v.model = any(%(models)s)
order by v.model, v.created_at desc, v.version desc

-- name: stored_digests
select wanted.digest, case when blob.content is not null then 'sha256:' || encode(sha256(blob.content), 'hex') end
from unnest(%(digests)s::text[]) as wanted (digest)
left join registry.blob on blob.digest = wanted.digest

-- name: lock_model
select pg_advisory_xact_lock(hashtextextended('registry.model/' || %(model)s, 0))

-- name: set_status
select version, status
from registry.set_status_v1(%(model)s, %(version)s, %(status)s, %(at)s, %(by)s, %(note)s, %(entry_id)s)

-- name: history
select version, status, changed_at, changed_by, note, entry_id
from registry.status_change
where model = %(model)s and version = %(version)s
order by change

-- name: catalogue_row
select name, version, digest, registered_entry, created_at from registry.catalogue
where name = %(name)s and version = %(version)s

-- name: catalogue_names
select distinct name collate "C" from registry.catalogue
where name > %(after)s collate "C"
order by 1
limit %(limit)s

-- name: catalogue_rows
select name, version, digest, registered_entry, created_at from registry.catalogue
where name = any(%(names)s)
order by name, created_at desc, version desc

-- name: set_catalogue
select registry.set_catalogue_v1(
    %(model)s, %(version)s, %(name)s, %(catalogue_version)s, %(at)s, %(by)s, %(note)s, %(entry_id)s
)

-- name: catalogue_history
select catalogue_name, catalogue_version, changed_at, changed_by, note, entry_id
from registry.catalogue_change
where model = %(model)s and version = %(version)s
order by change
