-- Synthetic decisions as they stand in the log: entries with their canonical bytes, and leaves in order. For a superuser of
-- a scratch database; %(rows)s of them, 25 seconds apart, a third declined.
WITH moment AS (
    SELECT i, timestamptz '2026-01-01 00:00:00+00' + i * interval '25 seconds' AS at, i %% 3 = 0 AS declined
      FROM generate_series(0, %(rows)s::bigint - 1) AS i
), named AS (
    SELECT moment.*, -- a UUIDv7: milliseconds, then bits that only have to differ
           (substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(md5(i::text), 1, 3) || '-8'
            || substr(md5(i::text), 4, 3) || '-' || substr(md5(i::text), 7, 12))::uuid AS entry_id,
           md5('key' || i)::uuid AS key_id
      FROM moment, LATERAL (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h) AS hex
), told AS (
    SELECT named.*,
           convert_to(format(
               '{"about":null,"actor":"lending-app","body":{"action":"%%s","catalogue":{"digest":"sha256:%%s",'
               '"name":"boston-mortgage","version":"1"},"code_version":"ofrecord 0.1.0","counterfactual_status":"%%s",'
               '"favourable":%%s,"manifest_digest":"sha256:%%s","method":"interventional_treeshap",'
               '"model":"boston-mortgage","model_digest":"sha256:%%s",%%s"outcome":"%%s","reason_codes":%%s,'
               '"reference_digest":"sha256:%%s","version":"%%s"},"ciphertext_digest":"sha256:%%s","commitment":"%%s",'
               '"entry_id":"%%s","key_id":"%%s","retention_class":"consumer_credit","time":"%%s",'
               '"type":"explanation.created","v":1}',
               CASE WHEN declined THEN 'denial' ELSE 'approval' END,
               encode(sha256('catalogue'), 'hex'),
               CASE WHEN declined THEN (ARRAY['found', 'partial', 'no_recourse', 'deferred'])[1 + i %% 4]
                    ELSE 'not_needed' END,
               (NOT declined)::text, encode(sha256('manifest'), 'hex'), encode(sha256('model'), 'hex'),
               CASE WHEN declined THEN
                   '"notice_blocked":false,"notice_clock":"completed_application","notice_due_at":"'
                   || to_char((at + interval '30 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '",'
                    ELSE '' END,
               CASE WHEN declined THEN 'decline' ELSE 'approve' END,
               CASE WHEN declined THEN format('["R%%s","R%%s","R%%s","R%%s"]', 10 + i %% 17, 30 + i %% 13,
                                              50 + i %% 7, 70 + i %% 5) ELSE '[]' END,
               encode(sha256('reference'), 'hex'), 1 + i * 4 / %(rows)s,
               encode(sha256(convert_to(i::text, 'UTF8')), 'hex'),
               encode(sha256(convert_to('blind' || i, 'UTF8')), 'hex'), entry_id, key_id,
               to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), 'UTF8') AS canonical
      FROM named
), entry AS (
    INSERT INTO audit.entry (entry_id, type, time, key_id, retention_class, canonical, leaf_hash)
    SELECT entry_id, 'explanation.created', at, key_id, 'consumer_credit', canonical, sha256('\x00'::bytea || canonical)
      FROM told
)
INSERT INTO audit.leaf (index, entry_id, leaf_hash)
SELECT i, entry_id, sha256('\x00'::bytea || canonical) FROM told
