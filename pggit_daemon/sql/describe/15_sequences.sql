-- Sequences of their own. The current value is data, not schema. The table that owns one is named at the end,
-- because its column's default needs the sequence first.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_sequence(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    s    record;
    what text;
BEGIN
    SELECT c.relname, n.nspname, c.relpersistence, c.relowner, c.relacl, q.seqtypid,
           tn.nspname AS table_schema, t.relname AS table_name, a.attname
      INTO s
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid
      LEFT JOIN pg_catalog.pg_depend h
             ON h.classid = 'pg_catalog.pg_class'::regclass AND h.objid = c.oid AND h.deptype = 'a'
            AND (h.refclassid = 'pg_catalog.pg_class'::regclass) IS TRUE AND h.refobjsubid > 0
      LEFT JOIN pg_catalog.pg_class t ON t.oid = h.refobjid
      LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = h.refobjid AND a.attnum = h.refobjsubid
     WHERE c.oid = o;
    d.schema_name := s.nspname;
    what := format('SEQUENCE %I.%I', s.nspname, s.relname);
    d.definition := format(E'CREATE %s%s%s\n    %s;\n', CASE s.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, what,
               CASE WHEN s.seqtypid <> 'int8'::regtype THEN ' AS ' || format_type(s.seqtypid, NULL) ELSE '' END,
               pggit_daemon.sequence_parameters(o))
        || pggit_daemon.owner(what, s.relowner)
        || pggit_daemon.comments('pg_catalog.pg_class'::regclass, o, what)
        || pggit_daemon.grants(s.relacl, 's', what, s.relowner);
    IF s.attname IS NOT NULL THEN
        d.later := format(E'ALTER %s OWNED BY %I.%I.%I;\n', what, s.table_schema, s.table_name, s.attname);
    END IF;
    RETURN d;
END $$;
