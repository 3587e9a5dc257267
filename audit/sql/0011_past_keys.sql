-- Up to which tree a checkpoint key that was replaced may be believed. The operator says so in the settings, the integrator
-- makes it known here; nothing is verified by it. Of several limits of one key the smallest counts.
create table audit.verifier_key_limit (
    vkey      text        not null,
    tree_size bigint      not null,
    since     timestamptz not null,
    constraint verifier_key_limit_pkey primary key (vkey, tree_size),
    constraint verifier_key_limit_size check (tree_size >= 0)
);
call audit.make_append_only_v1('audit.verifier_key_limit');

grant select on audit.verifier_key_limit to ofrecord_service, ofrecord_worker, ofrecord_integrator, ofrecord_auditor;

create function audit.publish_key_limit_v1(p_vkey text, p_tree_size bigint, p_since timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into audit.verifier_key_limit (vkey, tree_size, since)
    select vkey, p_tree_size, p_since from audit.verifier_key where vkey = p_vkey and role = 'checkpoint'
    on conflict (vkey, tree_size) do nothing;
end
$$;
revoke all on function audit.publish_key_limit_v1(text, bigint, timestamptz) from public;
grant execute on function audit.publish_key_limit_v1(text, bigint, timestamptz) to ofrecord_integrator;
