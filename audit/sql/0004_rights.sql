-- Who may do what. No role that logs in can change or remove anything that was written, but for the integrator, who takes
-- entries off `pending`.

revoke all on schema audit from public;
revoke all on all tables in schema audit from public;
revoke all on all routines in schema audit from public;

grant usage on schema audit to ofrecord_service, ofrecord_worker, ofrecord_integrator, ofrecord_auditor;

grant select on audit.entry, audit.pending, audit.leaf, audit.tile, audit.checkpoint, audit.verifier_key, audit.retention_class
    to ofrecord_service, ofrecord_worker, ofrecord_integrator, ofrecord_auditor;
grant select on audit.payload to ofrecord_service, ofrecord_worker, ofrecord_auditor;
grant select on audit.idempotency to ofrecord_service, ofrecord_worker;

grant execute on function audit.append_v1(bytea[], bytea[], bytea[], bytea[]) to ofrecord_service, ofrecord_worker;
grant execute on function audit.ensure_partitions_v1(date) to ofrecord_service, ofrecord_worker;
grant execute on function audit.publish_verifier_key_v1(text, text, timestamptz)
    to ofrecord_service, ofrecord_integrator;

grant delete on audit.pending to ofrecord_integrator;
grant insert on audit.leaf, audit.tile, audit.checkpoint to ofrecord_integrator;
