-- Publications and subscriptions. Row filters, column lists and schemas came with 15, generated columns with 18.

CREATE OR REPLACE FUNCTION pggit_daemon.describe_publication(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d       pggit_daemon.description;
    p       jsonb;
    what    text;
    actions text;
    members text;
BEGIN
    SELECT to_jsonb(x) INTO p FROM pg_catalog.pg_publication x WHERE x.oid = o;
    what := format('PUBLICATION %I', p ->> 'pubname');
    actions := concat_ws(', ', CASE WHEN (p ->> 'pubinsert')::boolean THEN 'insert' END,
                               CASE WHEN (p ->> 'pubupdate')::boolean THEN 'update' END,
                               CASE WHEN (p ->> 'pubdelete')::boolean THEN 'delete' END,
                               CASE WHEN (p ->> 'pubtruncate')::boolean THEN 'truncate' END);
    IF current_setting('server_version_num')::integer >= 150000 THEN
        EXECUTE $query$
            SELECT string_agg(m.line, '' ORDER BY m.rank, m.line COLLATE "C") FROM (
                SELECT 1 AS rank, format(E'ALTER %s ADD TABLE ONLY %s%s%s;\n', $2, r.name,
                    (SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
                       FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.prrelid AND a.attnum = ANY (x.prattrs)),
                    ' WHERE (' || pg_get_expr(x.prqual, x.prrelid) || ')') AS line
                  FROM pg_catalog.pg_publication_rel x, LATERAL pggit_daemon.relation_name(x.prrelid) r
                 WHERE x.prpubid = $1
                UNION ALL
                SELECT 2, format(E'ALTER %s ADD TABLES IN SCHEMA %I;\n', $2, n.nspname)
                  FROM pg_catalog.pg_publication_namespace x
                  JOIN pg_catalog.pg_namespace n ON n.oid = x.pnnspid WHERE x.pnpubid = $1) m
            $query$ INTO members USING o, what;
    ELSE
        SELECT string_agg(format(E'ALTER %s ADD TABLE ONLY %s;\n', what, r.name), '' ORDER BY r.name COLLATE "C")
          INTO members
          FROM pg_catalog.pg_publication_rel x, LATERAL pggit_daemon.relation_name(x.prrelid) r WHERE x.prpubid = o;
    END IF;
    d.definition := format(E'CREATE %s%s WITH (%s);\n', what,
            CASE WHEN (p ->> 'puballtables')::boolean THEN ' FOR ALL TABLES' ELSE '' END,
            concat_ws(', ', format('publish = %L', actions),
                      CASE WHEN (p ->> 'pubviaroot')::boolean THEN 'publish_via_partition_root = true' END,
                      CASE p ->> 'pubgencols' WHEN 's' THEN 'publish_generated_columns = stored' END))
        || pggit_daemon.owner(what, (p ->> 'pubowner')::oid)
        || coalesce(members, '')
        || pggit_daemon.comments('pg_catalog.pg_publication'::regclass, o, what);
    RETURN d;
END $$;

-- A connection string with the values of all other keywords masked: `keyword=value ...` as well as an address. What is
-- read otherwise than libpq reads it is masked as a whole.
CREATE OR REPLACE FUNCTION pggit_daemon.masked_connection(says text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    known constant text[] := pggit_daemon.harmless_keywords();
    part  text[];
    rest  text := btrim(says, E' \t\n\r\f\v');
    shown text[] := '{}';
BEGIN
    IF rest ~ '^postgres(ql)?://' THEN
        -- scheme, user, hosts with ports, database, parameters. A password may hold an unescaped @.
        part := regexp_match(rest, '^(postgres(?:ql)?://)(?:([^:@/?]*)(:[^/?]*)?@)?([^/?]*)(/[^?]*)?(\?.*)?$');
        IF part IS NULL OR part[4] !~ '^(\[[0-9A-Fa-f:.%]+\]|[^@:,\[\]]*)(:[0-9]*)?(,(\[[0-9A-Fa-f:.%]+\]|[^@:,\[\]]*)(:[0-9]*)?)*$'
           OR coalesce(part[5], '') ~ '[@:=]' THEN
            RETURN '';
        END IF;
        shown := ARRAY(SELECT split_part(p.word, '=', 1) || '='
                             || CASE WHEN lower(split_part(p.word, '=', 1) COLLATE "C") = ANY (known)
                                     THEN substr(p.word, strpos(p.word, '=') + 1) ELSE '***' END
                        FROM string_to_table(substr(part[6], 2), '&') WITH ORDINALITY AS p (word, place)
                       WHERE p.word <> '' ORDER BY p.place);
        RETURN concat(part[1], CASE WHEN part[2] IS NOT NULL THEN concat(part[2], CASE WHEN part[3] <> ':' THEN ':***' END, '@') END,
                      part[4], part[5], CASE WHEN cardinality(shown) > 0 THEN '?' || array_to_string(shown, '&') END);
    END IF;
    WHILE rest <> '' LOOP
        -- A value is quoted or ends with white space; a backslash takes the next character as it is.
        part := regexp_match(rest, '^([^\s=]+)\s*=\s*(''(?:[^''\\]|\\.)*''|(?:[^\s\\'']|\\.)(?:[^\s\\]|\\.)*|)(?:\s+|$)(.*)$');
        IF part IS NULL THEN
            RETURN '';
        END IF;
        shown := shown || (part[1] || '=' || CASE WHEN part[1] = ANY (known) AND part[2] !~ '=|://' THEN part[2] ELSE '***' END);
        rest := part[3];
    END LOOP;
    RETURN array_to_string(shown, ' ');
END $$;

-- Runs as pggit_capture (api/90_privileges.sql), as not everybody may read it.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_connection(subscription oid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
    SELECT pggit_daemon.masked_connection(s.subconninfo) FROM pg_subscription AS s WHERE s.oid = subscription
$$;

-- The restored subscription does not connect: it is created without contacting anybody and stays disabled, as with
-- pg_dump.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_subscription(o oid) RETURNS pggit_daemon.description
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d    pggit_daemon.description;
    s    record;
    x    jsonb := '{}';   -- what not every version has
    new  text[];
    what text;
BEGIN
    SELECT u.subname, u.subowner, u.subbinary, u.substream, u.subslotname, u.subsynccommit, u.subpublications INTO s
      FROM pg_catalog.pg_subscription u WHERE u.oid = o;
    new := ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = 'pg_catalog.pg_subscription'::regclass AND NOT a.attisdropped
                    AND a.attname IN ('subtwophasestate', 'subdisableonerr', 'suborigin', 'subpasswordrequired',
                                      'subrunasowner', 'subfailover'));
    IF cardinality(new) > 0 THEN
        EXECUTE format('SELECT jsonb_build_object(%s) FROM pg_catalog.pg_subscription u WHERE u.oid = $1',
                       (SELECT string_agg(format('%L, u.%I', n, n), ', ') FROM unnest(new) n)) INTO x USING o;
    END IF;
    what := format('SUBSCRIPTION %I', s.subname);
    d.definition := format(E'CREATE %s CONNECTION %L PUBLICATION %s WITH (%s);\n', what,
            pggit_daemon.harmless_connection(o),
            (SELECT string_agg(quote_ident(p), ', ' ORDER BY place) FROM unnest(s.subpublications) WITH ORDINALITY u (p, place)),
            concat_ws(', ', 'connect = false', 'slot_name = ' || coalesce(quote_literal(s.subslotname), 'NONE'),
                CASE WHEN s.subbinary THEN 'binary = true' END,
                CASE s.substream::text WHEN 'true' THEN 'streaming = on' WHEN 't' THEN 'streaming = on'
                                       WHEN 'p' THEN 'streaming = parallel'
                                       WHEN 'f' THEN CASE WHEN current_setting('server_version_num')::integer >= 180000
                                                          THEN 'streaming = off' END END,
                CASE WHEN x ->> 'subtwophasestate' <> 'd' THEN 'two_phase = on' END,
                CASE WHEN (x ->> 'subdisableonerr')::boolean THEN 'disable_on_error = true' END,
                CASE WHEN NOT (x ->> 'subpasswordrequired')::boolean THEN 'password_required = false' END,
                CASE WHEN (x ->> 'subrunasowner')::boolean THEN 'run_as_owner = true' END,
                CASE WHEN (x ->> 'subfailover')::boolean THEN 'failover = true' END,
                CASE WHEN x ->> 'suborigin' <> 'any' THEN 'origin = ' || (x ->> 'suborigin') END,
                CASE WHEN s.subsynccommit <> 'off' THEN format('synchronous_commit = %L', s.subsynccommit) END))
        || pggit_daemon.owner(what, s.subowner)
        || pggit_daemon.comments('pg_catalog.pg_subscription'::regclass, o, what);
    RETURN d;
END $$;
