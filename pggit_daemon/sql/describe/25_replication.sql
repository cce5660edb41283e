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

-- The connection without anything secret; only the installing superuser may read it at all.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_connection(subscription oid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    says text := (SELECT s.subconninfo FROM pg_catalog.pg_subscription s WHERE s.oid = subscription);
BEGIN
    -- keyword = value, where the value may be quoted; then user:password@ and ?password= of an address
    says := regexp_replace(says, $re$\m(ssl)?password\s*=\s*('([^'\\]|\\.)*'|[^\s&]*)\s*$re$, '', 'gi');
    says := regexp_replace(says, '^(postgres(?:ql)?://[^:/@?]*):[^@]*@', '\1@', 'i');
    RETURN btrim(says);
END $$;

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
