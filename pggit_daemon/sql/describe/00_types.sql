-- The values that describe an object. Created if missing: tables and functions of ours hold them.

DO $$
BEGIN
    -- An object by the server's own address.
    IF pg_catalog.to_regtype('pggit_daemon.object_address') IS NULL THEN
        CREATE TYPE pggit_daemon.object_address AS (classid oid, objid oid);
    END IF;
    IF pg_catalog.to_regtype('pggit_daemon.description') IS NULL THEN
        CREATE TYPE pggit_daemon.description AS (
            classid     oid,
            objid       oid,
            type        text,     -- with identity: the key in the tree
            schema_name text,     -- the plain name, not quoted; NULL for objects outside schemas
            identity    text,     -- as pg_identify_object says it
            definition  text,     -- the statements that create the object, each ending in ";\n"
            later       text,     -- the statements that must wait until every object exists, or NULL
            depends     text[],   -- sorted 'type identity' keys of what must exist before it; "~" before one: see depends_of
            columns     text[]    -- of tables: the names of the columns in their order
        );
    END IF;
    -- What an event says of its session, and whether the outbox is ready for it: see `prepare_event`.
    IF pg_catalog.to_regtype('pggit_daemon.event_facts') IS NULL THEN
        CREATE TYPE pggit_daemon.event_facts AS (
            event   bigint,         -- its number
            sure    boolean,        -- the INSERT cannot fail
            told    boolean,        -- later events of this transaction need not look at what was written before
            started timestamptz,    -- when the session began
            locks   jsonb,          -- the locks of tools; like the following at the transaction's first event only
            sisters jsonb,          -- sibling sessions
            used    jsonb           -- the history tables that the session used
        );
    END IF;
END $$;

-- Where a part of an object is gone or cannot be read: half a definition would be worse than none.
CREATE OR REPLACE FUNCTION pggit_daemon.cannot_describe(type text, identity text) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'pggit-daemon cannot describe % %', type, identity
        USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
