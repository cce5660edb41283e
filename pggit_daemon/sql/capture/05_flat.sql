-- The quick way of frequent statements: see 04_flat_tables.sql.

-- The elements of a statement that did what most of its tag do, and nothing beside it; NULL for everything else.
-- `since`: the command number at this transaction's newest event. `said`: the statement's text, where it is known.
CREATE OR REPLACE FUNCTION pggit_daemon.read_flat(tag text, since bigint, said text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    what    text;     -- the types of the objects that the statement names, between commas
    ids     oid[];
    granted oid;
BEGIN
    SELECT string_agg(CASE WHEN c.in_extension OR c.schema_name = ANY ('{pggit,pggit_daemon,pg_temp}') THEN 'other'
                           ELSE c.object_type END, ','), array_agg(c.objid)
      INTO what, ids
      FROM pg_event_trigger_ddl_commands() AS c;
    IF starts_with(what, 'table') THEN
        IF tag = ANY ('{CREATE TABLE,CREATE TABLE AS,SELECT INTO}') THEN
            IF replace(what, ',index', '') = 'table' THEN
                RETURN pggit_daemon.flat_table(ids[1], ids[2:]);
            END IF;
        ELSIF what = ANY ('{table,table column}') THEN
            IF tag = 'COMMENT' OR what = 'table' AND tag = 'ALTER TABLE' AND pggit_daemon.is_altered_alone(ids[1], since) THEN
                RETURN pggit_daemon.flat_table(ids[1], NULL);
            ELSIF tag = 'ALTER TABLE' AND what <> 'table' THEN
                RETURN pggit_daemon.flat_renamed(ids[1]);
            END IF;
        END IF;
    ELSIF what = 'TABLE' THEN
        granted := pggit_daemon.granted_table(since, said);
        IF granted IS NOT NULL THEN
            RETURN pggit_daemon.flat_table(granted, NULL);
        END IF;
    ELSIF what = 'index' THEN
        IF tag = 'CREATE INDEX' THEN
            RETURN pggit_daemon.flat_indexes(ids, true);
        END IF;
    ELSIF what = 'view' THEN
        IF tag = 'CREATE VIEW' THEN
            RETURN pggit_daemon.flat_view(ids[1], true);
        END IF;
    ELSIF tag = ANY ('{CREATE FUNCTION,CREATE PROCEDURE}') THEN
        IF what = ANY ('{function,procedure}') THEN
            RETURN pggit_daemon.flat_function(ids[1]);
        END IF;
    END IF;
    RETURN NULL;
END $$;
