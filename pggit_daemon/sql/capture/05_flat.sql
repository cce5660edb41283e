-- The quick way of frequent statements: see 04_flat_tables.sql.

-- The elements of a statement that did what most of its tag do, and nothing beside it; NULL for everything else.
-- `since`: the command number at this transaction's newest event.
CREATE OR REPLACE FUNCTION pggit_daemon.read_flat(tag text, since bigint) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    command record;
    types   text[];
    ids     oid[];
    granted oid;
BEGIN
    IF tag <> ALL ('{CREATE TABLE,CREATE TABLE AS,SELECT INTO,ALTER TABLE,CREATE INDEX,COMMENT,GRANT,REVOKE,CREATE VIEW,
                     CREATE FUNCTION,CREATE PROCEDURE}') THEN
        RETURN NULL;
    END IF;
    FOR command IN
        SELECT c.object_type, c.objid, c.objsubid, c.in_extension, c.schema_name FROM pg_event_trigger_ddl_commands() AS c
    LOOP
        IF command.in_extension OR command.schema_name = ANY ('{pggit,pggit_daemon,pg_temp}') THEN
            RETURN NULL;
        END IF;
        types := types || command.object_type;
        ids := ids || command.objid;
    END LOOP;
    IF ids IS NULL THEN
        RETURN NULL;
    ELSIF starts_with(tag, 'CREATE TABLE') OR tag = 'SELECT INTO' THEN
        IF types[1] = 'table' AND 'index' = ALL (types[2:]) THEN
            RETURN pggit_daemon.flat_table(ids[1], ids[2:]);
        END IF;
    ELSIF cardinality(ids) > 1 THEN
        RETURN NULL;
    ELSIF tag = 'ALTER TABLE' THEN
        IF command.object_type = 'table column' AND command.objsubid > 0 THEN
            RETURN pggit_daemon.flat_renamed(ids[1]);
        ELSIF command.object_type = 'table' AND pggit_daemon.is_altered_alone(ids[1], since) THEN
            RETURN pggit_daemon.flat_table(ids[1], NULL);
        END IF;
    ELSIF tag = 'CREATE INDEX' THEN
        IF command.object_type = 'index' THEN
            RETURN pggit_daemon.flat_indexes(ids, true);
        END IF;
    ELSIF tag = 'COMMENT' THEN
        IF command.object_type IN ('table', 'table column') THEN
            RETURN pggit_daemon.flat_table(ids[1], NULL);
        END IF;
    ELSIF tag IN ('GRANT', 'REVOKE') THEN
        IF command.object_type = 'TABLE' THEN
            granted := pggit_daemon.granted_table(tag, since);
            IF granted IS NOT NULL THEN
                RETURN pggit_daemon.flat_table(granted, NULL);
            END IF;
        END IF;
    ELSIF tag = 'CREATE VIEW' THEN
        IF command.object_type = 'view' THEN
            RETURN pggit_daemon.flat_view(ids[1], true);
        END IF;
    ELSE
        RETURN pggit_daemon.flat_function(ids[1]);
    END IF;
    RETURN NULL;
END $$;
