-- What the daemon writes: migrations, their links, and the rows of history tables as last seen.

-- A migration as its row says now, with its link. What is applied again takes the place of what it was.
-- The same upsert stands in `store_record_migration`, where it is a part of one statement, as a call costs what that saves; who
-- changes one changes both (tests/unit/test_store_upserts.py).
CREATE OR REPLACE FUNCTION pggit_daemon.store_put_migration(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit.external_migrations (
        migration_id, tool_name, source, migration_name, checksum, pggit_commit_id, applied_at, applied_by,
        execution_time, success, error_message, version, sequence, status, evidence, rollback_of, source_lsn)
    VALUES (
        (p ->> 'migration_id')::bigint, p ->> 'tool', p ->> 'source', p ->> 'name', p ->> 'checksum',
        pggit_daemon.stored_commit(p), (p ->> 'applied_at')::timestamptz, p ->> 'applied_by',
        (p ->> 'execution_ms')::bigint * interval '1 millisecond', (p ->> 'success')::boolean, p ->> 'error_message',
        p ->> 'version', (p ->> 'sequence')::bigint, p ->> 'status', p ->> 'evidence', (p ->> 'rollback_of')::bigint,
        (p ->> 'lsn')::pg_lsn)
    ON CONFLICT (tool_name, source, migration_id) DO UPDATE SET
        migration_name = excluded.migration_name,
        checksum = excluded.checksum,
        pggit_commit_id = excluded.pggit_commit_id,
        applied_at = excluded.applied_at,
        applied_by = excluded.applied_by,
        execution_time = excluded.execution_time,
        success = excluded.success,
        error_message = excluded.error_message,
        version = excluded.version,
        sequence = excluded.sequence,
        status = excluded.status,
        evidence = excluded.evidence,
        rollback_of = excluded.rollback_of,
        source_lsn = excluded.source_lsn;
END $$;

-- A migration that somebody recorded, or recorded elsewhere: its row stays as it is but for the link. Without a row it
-- is recorded now, if that was asked for. PGD03: the transaction that recorded it cannot be seen yet.
CREATE OR REPLACE FUNCTION pggit_daemon.store_link_known(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    made     integer := pggit_daemon.stored_commit(p);
    visible  boolean := pggit_daemon.is_visible((p ->> 'xid')::bigint);  -- before the look, or it says nothing of it
    known_in text;
BEGIN
    SELECT m.source INTO known_in FROM pggit.external_migrations AS m
    WHERE m.tool_name = p ->> 'tool' AND m.migration_id = (p ->> 'migration_id')::bigint
      AND (m.source = p ->> 'source' OR (p ->> 'anywhere')::boolean)
    ORDER BY (m.pggit_commit_id IS NULL) DESC, m.source LIMIT 1;
    IF FOUND THEN
        UPDATE pggit.external_migrations AS m
        SET pggit_commit_id = made, evidence = p ->> 'evidence',
            migration_name = coalesce(m.migration_name, p ->> 'name'), version = coalesce(m.version, p ->> 'version'),
            status = CASE WHEN m.status = 'applied' THEN p ->> 'status' ELSE m.status END,
            rollback_of = coalesce(m.rollback_of, (p ->> 'rollback_of')::bigint)
        WHERE m.tool_name = p ->> 'tool' AND m.migration_id = (p ->> 'migration_id')::bigint AND m.source = known_in
          AND m.pggit_commit_id IS NULL;
    ELSIF NOT visible THEN
        RAISE EXCEPTION 'the row is not visible yet' USING ERRCODE = 'PGD03';
    ELSIF (p ->> 'records')::boolean THEN
        PERFORM pggit_daemon.store_put_migration(p);
    END IF;
END $$;

-- What a rollback rolled back: the migration of that number, of the same tool if it has one, else the newest; of the
-- sources that whoever called may write to.
CREATE OR REPLACE FUNCTION pggit_daemon.store_amend_any(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit.external_migrations AS m
    SET status = p ->> 'status'
    FROM (SELECT o.tool_name, o.source FROM pggit.external_migrations AS o
          WHERE o.migration_id = (p ->> 'migration_id')::bigint AND p -> 'sources' ? o.source
            AND (o.tool_name = p ->> 'tool'
                 OR NOT EXISTS (SELECT FROM pggit.external_migrations AS s
                                WHERE s.migration_id = o.migration_id AND s.tool_name = p ->> 'tool'))
          ORDER BY (o.status = 'applied') DESC, o.applied_at DESC NULLS LAST LIMIT 1) AS one
    WHERE m.migration_id = (p ->> 'migration_id')::bigint AND m.tool_name = one.tool_name AND m.source = one.source;
END $$;

-- A later change of the row: NULL leaves a column as it is, but a cleared checksum is given as such.
CREATE OR REPLACE FUNCTION pggit_daemon.store_amend_migration(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit.external_migrations AS m
    SET status = coalesce(p ->> 'status', m.status),
        checksum = CASE WHEN (p ->> 'sets_checksum')::boolean THEN p ->> 'checksum' ELSE m.checksum END,
        migration_name = coalesce(p ->> 'name', m.migration_name),
        version = coalesce(p ->> 'version', m.version),
        execution_time = coalesce((p ->> 'execution_ms')::bigint * interval '1 millisecond', m.execution_time)
    WHERE m.tool_name = p ->> 'tool' AND m.source = p ->> 'source' AND m.migration_id = (p ->> 'migration_id')::bigint;
END $$;

-- A migration that ran DDL has no link to a commit whose schema it only saw: its failure may arrive before its
-- transaction commits.
CREATE OR REPLACE FUNCTION pggit_daemon.unlink_seen(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pggit_daemon.link AS l
     WHERE NOT l.made AND l.migration_id = (p ->> 'migration_id')::bigint
       AND l.tool_name = p ->> 'tool' AND l.source = p ->> 'source';
END $$;

-- Every link, with its evidence; a migration in several transactions has several. The commit of a transaction (`at`) was
-- called a part until the migration ended.
CREATE OR REPLACE FUNCTION pggit_daemon.store_link(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    made integer := pggit_daemon.stored_commit(p);
BEGIN
    IF made IS NOT NULL THEN
        INSERT INTO pggit_daemon.link (
            tool_name, source, migration_id, commit_id, evidence, part, made, objects, detail)
        VALUES (
            p ->> 'tool', p ->> 'source', (p ->> 'migration_id')::bigint, made, p ->> 'evidence',
            (p ->> 'part')::boolean, (p ->> 'made')::boolean,
            CASE WHEN jsonb_typeof(p -> 'objects') = 'array'
                 THEN ARRAY(SELECT jsonb_array_elements_text(p -> 'objects')) END,
            coalesce(p -> 'detail', '{}'))
        ON CONFLICT (tool_name, source, migration_id, commit_id) DO UPDATE SET
            part = link.part AND excluded.part, made = link.made OR excluded.made;
        IF (p ->> 'made')::boolean THEN
            PERFORM pggit_daemon.unlink_seen(p);
        END IF;
        IF p ->> 'at' IS NOT NULL AND NOT (p ->> 'part')::boolean THEN
            UPDATE pggit.commits AS c
               SET message = regexp_replace(c.message, ' \(part\)', ''), metadata = c.metadata || '{"part": false}'
             WHERE c.id = made AND (c.metadata -> 'part') = 'true';
        END IF;
    END IF;
END $$;

-- What a row that was recorded before is linked to now. The same number may have been applied again since: then the row
-- is another one.
CREATE OR REPLACE FUNCTION pggit_daemon.store_link_row(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    made integer := pggit_daemon.stored_commit(p);
BEGIN
    UPDATE pggit.external_migrations AS m
    SET pggit_commit_id = made, evidence = p ->> 'evidence'
    WHERE m.tool_name = p ->> 'tool' AND m.source = p ->> 'source' AND m.migration_id = (p ->> 'migration_id')::bigint
      AND m.source_lsn = (p ->> 'lsn')::pg_lsn;
    UPDATE pggit_daemon.history_event AS e
    SET commit_id = made, evidence = p ->> 'evidence', note = p ->> 'note'
    WHERE e.id = ANY (ARRAY(
        SELECT there.id
        FROM (SELECT h.id, h.source, h.migration_id FROM pggit_daemon.history_event AS h
              WHERE h.lsn = (p ->> 'lsn')::pg_lsn OFFSET 0) AS there
        WHERE there.source = p ->> 'row_source' AND there.migration_id = (p ->> 'migration_id')::bigint));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_record_event(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.history_event (
        source, meaning, operation, row_key, old_columns, new_columns, migration_id, evidence, commit_id, lsn, xid,
        occurred_at, note)
    VALUES (
        p ->> 'source', p ->> 'meaning', p ->> 'operation', p ->> 'row_key', nullif(p -> 'old', 'null'),
        nullif(p -> 'new', 'null'), (p ->> 'migration_id')::bigint, p ->> 'evidence', pggit_daemon.stored_commit(p),
        (p ->> 'lsn')::pg_lsn, (p ->> 'xid')::bigint, (p ->> 'occurred_at')::timestamptz, p ->> 'note');
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_put_row(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.source_row (source, row_key, columns, migration_id)
    VALUES (p ->> 'source', p ->> 'row_key', p -> 'columns', (p ->> 'migration_id')::bigint)
    ON CONFLICT (source, row_key) DO UPDATE SET columns = excluded.columns, migration_id = excluded.migration_id;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_delete_row(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pggit_daemon.source_row AS r WHERE r.source = p ->> 'source' AND r.row_key = p ->> 'row_key';
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_put_source(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, lock_table, origin, objid,
                                     number_order)
    VALUES (p ->> 'name', p ->> 'tool', p ->> 'preset', p ->> 'schema', p ->> 'table', p ->> 'lock_table', p ->> 'origin',
            (p ->> 'objid')::oid, p ->> 'number_order')
    ON CONFLICT (name) DO UPDATE SET
        tool_name = excluded.tool_name, preset = excluded.preset, schema_name = excluded.schema_name,
        table_name = excluded.table_name, lock_table = coalesce(excluded.lock_table, source.lock_table),
        origin = excluded.origin, objid = coalesce(excluded.objid, source.objid), number_order = excluded.number_order;
    IF pg_sequence_last_value('pggit_daemon.tool_watch') IS NULL THEN
        PERFORM setval('pggit_daemon.tool_watch', 1);    -- see `watched`
    END IF;
END $$;

-- What the capture is to look for of tools: `locks` as [classid, objid, objsubid], `applications` by name. All of it, but
-- with `adds`: then what is there stays. `shapes`: by preset, the tool and the columns of its history table.
-- `watch`: whether a tool that is followed holds advisory locks.
CREATE OR REPLACE FUNCTION pggit_daemon.store_put_tools(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pggit_daemon.tool_lock AS t
     WHERE p -> 'adds' IS NULL AND NOT p -> 'locks' @> jsonb_build_array(jsonb_build_array(t.classid::bigint, t.objid::bigint, t.objsubid));
    INSERT INTO pggit_daemon.tool_lock (classid, objid, objsubid)
    SELECT (l ->> 0)::oid, (l ->> 1)::oid, (l ->> 2)::smallint FROM jsonb_array_elements(p -> 'locks') AS l
    ON CONFLICT DO NOTHING;
    DELETE FROM pggit_daemon.tool_application AS t WHERE p -> 'adds' IS NULL AND NOT p -> 'applications' ? t.name;
    INSERT INTO pggit_daemon.tool_application (name)
    SELECT a FROM jsonb_array_elements_text(p -> 'applications') AS a
    ON CONFLICT DO NOTHING;
    -- What the capture looks for. A table that is new to the daemon may have said so already.
    IF EXISTS (SELECT FROM pggit_daemon.numbered_tables()) THEN
        PERFORM setval('pggit_daemon.tool_watch', 3);
    ELSIF (p ->> 'watch')::boolean
       OR EXISTS (SELECT FROM pg_class AS c WHERE c.relname = ANY (pggit_daemon.locking_histories())) THEN
        PERFORM setval('pggit_daemon.tool_watch', 2);
    ELSIF EXISTS (SELECT FROM pggit_daemon.source) THEN
        PERFORM setval('pggit_daemon.tool_watch', 1);
    ELSIF p -> 'adds' IS NULL THEN
        PERFORM setval('pggit_daemon.tool_watch', 1, false);
    END IF;
    DELETE FROM pggit_daemon.tool_shape AS t WHERE p -> 'adds' IS NULL AND NOT p -> 'shapes' ? t.preset;
    INSERT INTO pggit_daemon.tool_shape AS t (preset, tool_name, columns, keyed)
    SELECT s.key, s.value ->> 'tool', ARRAY(SELECT jsonb_array_elements_text(s.value -> 'columns')),
           (s.value ->> 'keyed')::boolean
    FROM jsonb_each(p -> 'shapes') AS s
    ON CONFLICT (preset) DO UPDATE
    SET tool_name = excluded.tool_name, columns = excluded.columns, keyed = excluded.keyed
    WHERE (t.tool_name, t.columns, t.keyed) IS DISTINCT FROM (excluded.tool_name, excluded.columns, excluded.keyed);
END $$;
