-- Schemas. Every new database has "public", so of it only what differs from its initial state is written (maybe nothing).

CREATE OR REPLACE FUNCTION pggit_daemon.describe_schema(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d       pggit_daemon.description;
    schema  pg_catalog.pg_namespace;
    what    text;
    initial_owner oid;     -- who owns "public" in a new database
    initial aclitem[];     -- and what others may do there
    words   text;
BEGIN
    SELECT * INTO schema FROM pg_catalog.pg_namespace n WHERE n.oid = o;
    what := format('SCHEMA %I', schema.nspname);
    IF schema.nspname <> 'public' THEN
        d.definition := format(E'CREATE SCHEMA %I;\n', schema.nspname)
            || pggit_daemon.owner(what, schema.nspowner)
            || pggit_daemon.comments('pg_catalog.pg_namespace'::regclass, o, what)
            || pggit_daemon.grants(schema.nspacl, 'n', what, schema.nspowner);
        RETURN d;
    END IF;

    -- acldefault is the owner's own part of it.
    initial := pg_catalog.acldefault('n', schema.nspowner);
    IF current_setting('server_version_num')::integer >= 150000 THEN
        initial_owner := 6171;  -- pg_database_owner
        initial := initial || pg_catalog.makeaclitem(0, schema.nspowner, 'USAGE', false);
    ELSE
        initial_owner := 10;    -- the bootstrap superuser
        initial := initial || format('=UC/"%s"', replace(pg_catalog.pg_get_userbyid(schema.nspowner), '"', '""'))::aclitem;
    END IF;
    words := pggit_daemon.comments('pg_catalog.pg_namespace'::regclass, o, what);
    d.definition := CASE WHEN schema.nspowner <> initial_owner THEN pggit_daemon.owner(what, schema.nspowner) ELSE '' END
        || CASE words WHEN E'COMMENT ON SCHEMA public IS ''standard public schema'';\n' THEN ''
                      WHEN '' THEN E'COMMENT ON SCHEMA public IS NULL;\n'
                      ELSE words END
        || pggit_daemon.grants(coalesce(schema.nspacl, pg_catalog.acldefault('n', schema.nspowner)),
                               initial, 'n', what, schema.nspowner);
    RETURN d;
END $$;
