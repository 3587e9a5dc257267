-- A time that no reader can take stops whoever reads it, and no row here can be taken back. Written as comparisons, not as
-- `between`: so a restored copy has the same text.
alter table audit.checkpoint add constraint checkpoint_time
    check (signed_at >= '2000-01-01 00:00:00+00' and signed_at < '9999-12-31 00:00:00+00');
alter table audit.cosignature add constraint cosignature_time
    check (cosigned_at >= '2000-01-01 00:00:00+00' and cosigned_at < '9999-12-31 00:00:00+00');
alter table audit.timestamp add constraint timestamp_time
    check (stamped_at >= '2000-01-01 00:00:00+00' and stamped_at < '9999-12-31 00:00:00+00');
alter table audit.verifier_key add constraint verifier_key_time
    check (since >= '2000-01-01 00:00:00+00' and since < '9999-12-31 00:00:00+00');

-- Of several limits of one key the one that was said last counts: a mistyped one can be put right. `since` is the word of
-- whoever says it, and says nothing of the order.
alter table audit.verifier_key_limit
    add column said bigint generated always as identity,
    drop constraint verifier_key_limit_pkey,
    add constraint verifier_key_limit_pkey primary key (vkey, said),
    add constraint verifier_key_limit_time check (since >= '2000-01-01 00:00:00+00' and since < '9999-12-31 00:00:00+00');

create or replace function audit.publish_key_limit_v1(p_vkey text, p_tree_size bigint, p_since timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into audit.verifier_key_limit (vkey, tree_size, since)
    select key.vkey, p_tree_size, p_since
    from audit.verifier_key key
    where key.vkey = p_vkey and key.role = 'checkpoint'
        and p_tree_size is distinct from (
            select said.tree_size from audit.verifier_key_limit said where said.vkey = p_vkey order by said.said desc limit 1
        );
end
$$;
