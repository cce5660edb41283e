-- Operators, their families and classes, access methods, casts.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_operator(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    x    record;
    what text;
BEGIN
    SELECT p.*, n.nspname INTO x
      FROM pg_catalog.pg_operator p JOIN pg_catalog.pg_namespace n ON n.oid = p.oprnamespace WHERE p.oid = o;
    d.schema_name := x.nspname;
    what := format('OPERATOR %I.%s (%s, %s)', x.nspname, x.oprname,
                   CASE WHEN x.oprleft = 0 THEN 'NONE' ELSE format_type(x.oprleft, NULL) END,
                   CASE WHEN x.oprright = 0 THEN 'NONE' ELSE format_type(x.oprright, NULL) END);
    d.definition := format(E'CREATE OPERATOR %I.%s (\n    %s\n);\n', x.nspname, x.oprname, concat_ws(E',\n    ',
            'FUNCTION = ' || pggit_daemon.support_name(x.oprcode),
            CASE WHEN x.oprleft <> 0 THEN 'LEFTARG = ' || format_type(x.oprleft, NULL) END,
            CASE WHEN x.oprright <> 0 THEN 'RIGHTARG = ' || format_type(x.oprright, NULL) END,
            'COMMUTATOR = ' || pggit_daemon.operator_name(x.oprcom),
            'NEGATOR = ' || pggit_daemon.operator_name(x.oprnegate),
            CASE WHEN x.oprcanmerge THEN 'MERGES' END,
            CASE WHEN x.oprcanhash THEN 'HASHES' END,
            'RESTRICT = ' || pggit_daemon.support_name(x.oprrest),
            'JOIN = ' || pggit_daemon.support_name(x.oprjoin)))
        || pggit_daemon.owner(what, x.oprowner)
        || pggit_daemon.comments('pg_catalog.pg_operator'::regclass, o, what);
    RETURN d;
END $$;

-- The operators and functions that hang on a class or, loose, on a family: lines of CREATE OPERATOR CLASS or of
-- ALTER OPERATOR FAMILY ... ADD. NULL for none. What hangs on the object is looked for first (OFFSET 0): the planner would
-- rather look at the members of all classes that there are.
CREATE OR REPLACE FUNCTION pggit_daemon.operator_members(of_class oid, of_object oid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT string_agg(m.line, E',\n    ' ORDER BY m.rank, m.lefttype COLLATE "C", m.righttype COLLATE "C", m.number)
          FROM (
            SELECT 1 AS rank, format_type(a.amoplefttype, NULL) AS lefttype, format_type(a.amoprighttype, NULL) AS righttype,
                   a.amopstrategy AS number,
                   format('OPERATOR %s %I.%s', a.amopstrategy, n.nspname, x.oprname)
                   || format(' (%s, %s)', format_type(a.amoplefttype, NULL), format_type(a.amoprighttype, NULL))
                   || CASE WHEN a.amopsortfamily <> 0 THEN (
                        SELECT format(' FOR ORDER BY %I.%I', fn.nspname, f.opfname) FROM pg_catalog.pg_opfamily f
                          JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace WHERE f.oid = a.amopsortfamily)
                      ELSE '' END AS line
              FROM (SELECT p.classid, p.objid FROM pg_catalog.pg_depend p
                     WHERE p.refclassid = of_class AND p.refobjid = of_object OFFSET 0) h
              JOIN pg_catalog.pg_amop a ON a.oid = h.objid
              JOIN pg_catalog.pg_operator x ON x.oid = a.amopopr
              JOIN pg_catalog.pg_namespace n ON n.oid = x.oprnamespace
             WHERE h.classid = 'pg_catalog.pg_amop'::regclass
               AND pggit_daemon.owning_object(h.classid, h.objid) = (of_class, of_object)::pggit_daemon.object_address
            UNION ALL
            SELECT 2, format_type(a.amproclefttype, NULL), format_type(a.amprocrighttype, NULL), a.amprocnum,
                   format('FUNCTION %s (%s, %s) %s(%s)', a.amprocnum, format_type(a.amproclefttype, NULL),
                          format_type(a.amprocrighttype, NULL), pggit_daemon.support_name(a.amproc),
                          pggit_daemon.argument_types(a.amproc))
              FROM (SELECT p.classid, p.objid FROM pg_catalog.pg_depend p
                     WHERE p.refclassid = of_class AND p.refobjid = of_object OFFSET 0) h
              JOIN pg_catalog.pg_amproc a ON a.oid = h.objid
             WHERE h.classid = 'pg_catalog.pg_amproc'::regclass
               AND pggit_daemon.owning_object(h.classid, h.objid) = (of_class, of_object)::pggit_daemon.object_address
          ) m);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_operator_family(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    f    record;
    what text;
BEGIN
    SELECT n.nspname, x.opfname, x.opfowner, a.amname INTO f
      FROM pg_catalog.pg_opfamily x
      JOIN pg_catalog.pg_namespace n ON n.oid = x.opfnamespace
      JOIN pg_catalog.pg_am a ON a.oid = x.opfmethod WHERE x.oid = o;
    d.schema_name := f.nspname;
    what := format('OPERATOR FAMILY %I.%I USING %I', f.nspname, f.opfname, f.amname);
    d.definition := format(E'CREATE %s;\n', what)
        || pggit_daemon.owner(what, f.opfowner)
        || pggit_daemon.comments('pg_catalog.pg_opfamily'::regclass, o, what);
    -- Loose members wait: their operators and functions may need classes of the family themselves.
    d.later := 'ALTER ' || what || E' ADD\n    '
        || pggit_daemon.operator_members('pg_catalog.pg_opfamily'::regclass, o) || E';\n';
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_operator_class(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d       pggit_daemon.description;
    c       record;
    what    text;
    members text := pggit_daemon.operator_members('pg_catalog.pg_opclass'::regclass, o);
BEGIN
    SELECT n.nspname, x.opcname, x.opcowner, x.opcdefault, x.opcintype, x.opckeytype, a.amname,
           format('%I.%I', fn.nspname, f.opfname) AS family
      INTO c
      FROM pg_catalog.pg_opclass x
      JOIN pg_catalog.pg_namespace n ON n.oid = x.opcnamespace
      JOIN pg_catalog.pg_am a ON a.oid = x.opcmethod
      JOIN pg_catalog.pg_opfamily f ON f.oid = x.opcfamily
      JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace
     WHERE x.oid = o;
    d.schema_name := c.nspname;
    what := format('OPERATOR CLASS %I.%I USING %I', c.nspname, c.opcname, c.amname);
    d.definition := format(E'CREATE OPERATOR CLASS %I.%I\n    %sFOR TYPE %s USING %I FAMILY %s AS\n    %s;\n',
            c.nspname, c.opcname, CASE WHEN c.opcdefault THEN 'DEFAULT ' ELSE '' END,
            format_type(c.opcintype, NULL), c.amname, c.family,
            -- A class may have no member at all, but the grammar wants one: the storage type says nothing new.
            concat_ws(E',\n    ',
                CASE WHEN c.opckeytype <> 0 THEN 'STORAGE ' || format_type(c.opckeytype, NULL) END,
                members,
                CASE WHEN c.opckeytype = 0 AND members IS NULL
                     THEN 'STORAGE ' || format_type(c.opcintype, NULL) END))
        || pggit_daemon.owner(what, c.opcowner)
        || pggit_daemon.comments('pg_catalog.pg_opclass'::regclass, o, what);
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_access_method(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d pggit_daemon.description;
    a pg_catalog.pg_am;
BEGIN
    SELECT * INTO a FROM pg_catalog.pg_am x WHERE x.oid = o;
    d.definition := format(E'CREATE ACCESS METHOD %I TYPE %s HANDLER %s;\n', a.amname,
            CASE a.amtype WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, pggit_daemon.support_name(a.amhandler))
        || pggit_daemon.comments('pg_catalog.pg_am'::regclass, o, format('ACCESS METHOD %I', a.amname));
    RETURN d;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.describe_cast(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    c    pg_catalog.pg_cast;
    what text;
BEGIN
    SELECT * INTO c FROM pg_catalog.pg_cast x WHERE x.oid = o;
    what := format('CAST (%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL));
    d.definition := format(E'CREATE %s %s%s;\n', what,
            CASE c.castmethod WHEN 'b' THEN 'WITHOUT FUNCTION' WHEN 'i' THEN 'WITH INOUT'
                 ELSE format('WITH FUNCTION %s(%s)', pggit_daemon.support_name(c.castfunc),
                             pggit_daemon.argument_types(c.castfunc)) END,
            CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END)
        || pggit_daemon.comments('pg_catalog.pg_cast'::regclass, o, what);
    RETURN d;
END $$;
