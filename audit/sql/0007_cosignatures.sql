-- What others say of a checkpoint: witnesses that saw the log grow up to it, and time-stamp authorities that saw it.

-- One line per checkpoint and witness, verified before it is kept (C2SP tlog-cosignature).
create table audit.cosignature (
    tree_size   bigint      not null,
    key_id      text        not null,
    line        text        not null,
    cosigned_at timestamptz not null,
    constraint cosignature_pkey primary key (tree_size, key_id),
    constraint cosignature_size check (tree_size > 0),
    constraint cosignature_line check (octet_length(line) <= 1024 and line like E'— %\n')
);
create index cosignature_key on audit.cosignature (key_id, tree_size);
call audit.make_append_only_v1('audit.cosignature');

-- An authority's answer over the bytes of a checkpoint's note as it is stored (RFC 3161, DER).
create table audit.timestamp (
    tree_size  bigint      not null,
    authority  text        not null,
    stamped_at timestamptz not null,
    response   bytea       not null,
    constraint timestamp_pkey primary key (tree_size, authority),
    constraint timestamp_size check (tree_size > 0 and octet_length(response) <= 65536)
);
call audit.make_append_only_v1('audit.timestamp');

grant select on audit.cosignature, audit.timestamp
    to ofrecord_service, ofrecord_worker, ofrecord_integrator, ofrecord_auditor;
grant insert on audit.cosignature, audit.timestamp to ofrecord_integrator;

-- The integrator also makes known which witnesses it asks. A witness's key is of another type: it cannot pass for a
-- checkpoint key, whatever it is called.
create or replace function audit.publish_verifier_key_v1(p_role text, p_vkey text, p_since timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if (session_user = 'ofrecord_service' and p_role <> 'receipt')
       or (session_user = 'ofrecord_integrator' and p_role not in ('checkpoint', 'witness')) then
        raise exception '% may not publish a % key', session_user, p_role using errcode = 'insufficient_privilege';
    end if;
    insert into audit.verifier_key (vkey, role, since) values (p_vkey, p_role, p_since) on conflict (vkey) do nothing;
end
$$;
