-- name: is_there
SELECT to_regclass('records.hold') IS NOT NULL AND to_regclass('records.erasure') IS NOT NULL
   AND to_regclass('records.expiry') IS NOT NULL

-- name: problems
WITH told AS MATERIALIZED (
    SELECT entry_id, type, jsonb_strip_nulls(convert_from(canonical, 'UTF8')::jsonb -> 'body') AS body
      FROM audit.entry
     WHERE type IN ('hold.placed', 'hold.released', 'erasure.requested', 'erasure.refused', 'erasure.completed',
                    'retention.expired')
), hold AS (
    SELECT hold.*, jsonb_strip_nulls(jsonb_build_object(
               'kind', kind, 'subject_key_id', subject_key_id, 'explanation_id', explanation_id,
               'model', model, 'version', version)) AS scope
      FROM records.hold
), erasure AS (
    SELECT erasure.*, CASE WHEN refused THEN 'erasure.refused' ELSE 'erasure.requested' END AS type,
           jsonb_build_object('erasure_id', erasure_id, 'subject_key_id', subject_key_id) AS who,
           jsonb_strip_nulls(jsonb_build_object('effective_at', CASE WHEN NOT refused THEN
               to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END)) AS due
      FROM records.erasure
), superseded AS ( -- requests of erasures that were brought forward, to a time before theirs
    SELECT former.entry_id
      FROM told former JOIN told latter ON latter.body ->> 'supersedes' = former.entry_id::text
     WHERE former.type = 'erasure.requested' AND latter.type = 'erasure.requested'
       AND latter.body ->> 'erasure_id' = former.body ->> 'erasure_id'
       AND latter.body ->> 'subject_key_id' = former.body ->> 'subject_key_id'
       AND latter.body ->> 'effective_at' < former.body ->> 'effective_at'
), problem (place, id, said) AS (
    SELECT 1, hold_id::text, 'hold %% was placed as no entry says' FROM hold
     WHERE NOT EXISTS (SELECT FROM told WHERE told.entry_id = placed_entry_id AND told.type = 'hold.placed'
                          AND body ->> 'hold_id' = hold_id::text AND body -> 'scope' = scope)
    UNION ALL
    SELECT 2, hold_id::text, 'hold %% was released as no entry says' FROM hold
     WHERE released_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM told WHERE told.entry_id = released_entry_id AND told.type = 'hold.released'
                          AND body ->> 'hold_id' = hold_id::text)
    UNION ALL
    SELECT 3, erasure_id::text, 'erasure %% was decided as no entry says' FROM erasure
     WHERE NOT EXISTS (SELECT FROM told WHERE told.entry_id = requested_entry_id AND told.type = erasure.type
                          AND body @> who AND body @> due)
    UNION ALL
    SELECT 4, erasure_id::text, 'erasure %% was completed as no entry says' FROM erasure
     WHERE completed_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM told WHERE told.entry_id = completed_entry_id AND told.type = 'erasure.completed'
                          AND body @> who)
    UNION ALL
    SELECT 5, erasure_id::text, 'erasure %% began before its time' FROM erasure WHERE started_at < effective_at
    UNION ALL
    SELECT 6, retention_class || to_char(month, ' YYYY-MM'), 'the expiry of %% is declared as no entry says' FROM records.expiry
     WHERE manifest_entry_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM told WHERE told.entry_id = manifest_entry_id AND told.type = 'retention.expired'
                          AND body @> jsonb_build_object('retention_class', retention_class, 'entries', entries,
                                                         'month', to_char(month, 'YYYY-MM')))
    UNION ALL
    SELECT 7, told.entry_id::text, 'entry %% (' || told.type || ') is of nothing that is known' FROM told
     WHERE NOT CASE told.type
               WHEN 'hold.placed' THEN EXISTS (SELECT FROM hold WHERE placed_entry_id = told.entry_id)
               WHEN 'hold.released' THEN EXISTS (SELECT FROM hold WHERE released_entry_id = told.entry_id)
               WHEN 'erasure.completed' THEN EXISTS (SELECT FROM erasure WHERE completed_entry_id = told.entry_id)
               WHEN 'retention.expired' THEN EXISTS (SELECT FROM records.expiry WHERE manifest_entry_id = told.entry_id)
               ELSE EXISTS (SELECT FROM erasure WHERE requested_entry_id = told.entry_id AND erasure.type = told.type)
                    OR told.entry_id IN (SELECT entry_id FROM superseded)
               END
)
SELECT replace(said, '%%', id) FROM problem ORDER BY place, id LIMIT 100
