-- The quick way of frequent statements: see 04_flat_tables.sql.

-- The elements of a statement that did what most of its tag do, and nothing beside it; NULL for everything else.
-- `since`: the command number at this transaction's newest event.
CREATE OR REPLACE FUNCTION pggit_daemon.read_flat(tag text, since bigint) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    types    text[];
    ids      oid[];
    part     integer;
    is_other boolean;
    granted  oid;
BEGIN
    IF tag <> ALL ('{CREATE TABLE,CREATE TABLE AS,SELECT INTO,ALTER TABLE,CREATE INDEX,COMMENT,GRANT,REVOKE,CREATE VIEW,
                     CREATE FUNCTION,CREATE PROCEDURE}') THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(c.object_type), array_agg(c.objid), max(c.objsubid),
           bool_or(c.in_extension OR coalesce(c.schema_name, '') IN ('pggit', 'pggit_daemon', 'pg_temp'))
      INTO types, ids, part, is_other
      FROM pg_event_trigger_ddl_commands() AS c;
    IF is_other IS NOT FALSE THEN
        RETURN NULL;
    ELSIF tag IN ('GRANT', 'REVOKE') THEN
        granted := CASE WHEN types = '{TABLE}' THEN pggit_daemon.granted_table(tag, since) END;
        RETURN CASE WHEN granted IS NOT NULL THEN pggit_daemon.flat_table(granted, NULL) END;
    ELSIF tag = ANY ('{CREATE TABLE,CREATE TABLE AS,SELECT INTO}') THEN
        RETURN CASE WHEN types[1] = 'table' AND 'index' = ALL (types[2:]) THEN pggit_daemon.flat_table(ids[1], ids[2:]) END;
    ELSIF cardinality(ids) > 1 THEN
        RETURN NULL;
    END IF;
    RETURN CASE
        WHEN types IN ('{table}', '{table column}') AND (tag = 'COMMENT' OR tag = 'ALTER TABLE' AND part = 0
                                                         AND pggit_daemon.is_altered_alone(ids[1], since))
            THEN pggit_daemon.flat_table(ids[1], NULL)
        WHEN types = '{table column}' AND tag = 'ALTER TABLE' AND part > 0 THEN pggit_daemon.flat_renamed(ids[1])
        WHEN tag = 'CREATE INDEX' AND types = '{index}' THEN pggit_daemon.flat_indexes(ids, true)
        WHEN tag = 'CREATE VIEW' AND types = '{view}' THEN pggit_daemon.flat_view(ids[1], true)
        WHEN tag IN ('CREATE FUNCTION', 'CREATE PROCEDURE') THEN pggit_daemon.flat_function(ids[1]) END;
END $$;
