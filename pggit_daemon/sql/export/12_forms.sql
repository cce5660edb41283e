-- The forms of an object that needs, and is needed by, others. It can be created partially: made in a first form,
-- without what can wait (see `depends_of`), and completed by the rest. And it can be created as a stub, a mere name
-- for functions to take: the shell of a type, a table without columns. All is cut from the definition as it is
-- recorded, so that the oldest tree can be exported like the newest.

-- In what order objects are created partially to break a cycle, the least first; NULL for what has no first form. (A view recorded without its
-- columns has none.) 0 and 5 are those of `stub_rank`.
CREATE OR REPLACE FUNCTION pggit_daemon.partial_rank(type text, definition text) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN type = 'operator family' THEN 1                -- loose members
        WHEN type IN ('table', 'foreign table') THEN 2      -- defaults
        WHEN type = 'view' AND definition LIKE '-- Columns: {%' THEN 3    -- the query
        WHEN type IN ('function', 'procedure') AND pggit_daemon.function_head(definition) IS NOT NULL
        THEN 4                                              -- the body
        -- CHECKs come last: the server refuses them late for a domain that is inside of other types by then.
        WHEN type = 'domain' THEN 6 END
$$;

-- The same for what can be created as a stub, as far as a function needs it that names it as a type of its own. The shell of
-- a base or range type is not enough for a function written in SQL.
CREATE OR REPLACE FUNCTION pggit_daemon.stub_rank(
    type text, definition text, of_type text, of_identity text, of_definition text) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN type NOT IN ('function', 'procedure') THEN NULL
        WHEN of_type = 'type' THEN
            CASE WHEN starts_with(of_definition, format('CREATE TYPE %s AS (', of_identity)) THEN 5
                 WHEN definition ~ E'\n LANGUAGE sql\n' THEN NULL
                 WHEN starts_with(of_definition, format(E'CREATE TYPE %s (\n    INTERNALLENGTH', of_identity))
                   OR starts_with(of_definition, format('CREATE TYPE %s AS RANGE (', of_identity)) THEN 0 END
        WHEN of_type = 'table' AND of_definition ~ '^CREATE (UNLOGGED )?TABLE ("(""|[^"])*"|[^" ])+ \('
         AND of_definition !~ E'\n(INHERITS|PARTITION BY) ' THEN 5 END
$$;

-- What completes a domain, in an order that every server accepts. Newer minor releases (seen on 15.20) refuse a CHECK
-- that is to hold at once where an expression names a row type with the domain in it. A CHECK that names a type so comes
-- behind those that do not; the default and a CHECK that is NOT VALID come behind them all.
CREATE OR REPLACE FUNCTION pggit_daemon.checks_first(statements text, what text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(s.statement, '' ORDER BY
               CASE WHEN NOT starts_with(s.statement, format('ALTER %s ADD ', what)) OR s.statement LIKE E'% NOT VALID;\n' THEN 3
                    WHEN s.statement ~ $re$::("(""|[^"])*"|[^" .,()]+)\.$re$ THEN 2
                    ELSE 1 END, s.place), '')
      FROM pggit_daemon.statements(statements) s
$$;

-- The object created partially: its first form, and the rest.
CREATE OR REPLACE FUNCTION pggit_daemon.partial_forms(
    type text, identity text, definition text, later text, OUT first text, OUT rest text)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what text := upper(type COLLATE "C") || ' ' || identity;
    s    record;
    cut  record;
BEGIN
    CASE type
    WHEN 'view' THEN
        -- As pg_dump does: a view of the same shape, which CREATE OR REPLACE fills in.
        SELECT format(E'CREATE VIEW %s AS\nSELECT%s;\n', identity, coalesce(
                   string_agg(format(E'\n    NULL::%s AS %I', c.value, c.key), ',' ORDER BY c.place), ''))
          INTO first
          FROM json_each_text((regexp_match(definition, E'^-- Columns: ([^\n]*)'))[1]::json)
                   WITH ORDINALITY c (key, value, place);
        rest := regexp_replace(definition, '^(-- Columns: [^\n]*\n)CREATE VIEW ', '\1CREATE OR REPLACE VIEW ');
    WHEN 'function', 'procedure' THEN
        -- The server may call it with constants while it makes an index or a generated column, and would put a body of
        -- one statement in its place: no partition key may be a constant.
        first := pggit_daemon.function_head(definition);
        first := first || format(E'AS %L;\n', coalesce(
            'SELECT; SELECT NULL::' || (regexp_match(first, E'\n RETURNS (?!SETOF |TABLE\\()([^\n]*)\n'))[1], ''));
        rest := definition;
    WHEN 'table', 'foreign table' THEN
        first := '';
        rest := '';
        FOR s IN SELECT x.place, x.statement FROM pggit_daemon.statements(definition) x ORDER BY x.place LOOP
            IF s.place = 1 THEN
                SELECT * INTO cut FROM pggit_daemon.without_defaults(s.statement,
                                           CASE type WHEN 'table' THEN 'TABLE' ELSE 'FOREIGN TABLE' END || ' ONLY ' || identity);
                first := cut.first;
                rest := cut.rest;
            ELSIF s.statement ~ $re$^ALTER (FOREIGN )?TABLE ONLY ("(""|[^"])*"|[^" ])+ ALTER COLUMN ("(""|[^"])*"|[^" ]+) SET DEFAULT $re$
            THEN
                rest := rest || s.statement;
            ELSE
                first := first || s.statement;
            END IF;
        END LOOP;
    WHEN 'domain' THEN
        rest := '';
        FOR s IN SELECT x.place, x.statement FROM pggit_daemon.statements(definition) x ORDER BY x.place LOOP
            IF s.place = 1 THEN
                SELECT * INTO cut FROM pggit_daemon.without_checks(s.statement, what);
                first := cut.first;
                rest := cut.rest;
            ELSE
                rest := rest || s.statement;
            END IF;
        END LOOP;
        rest := pggit_daemon.checks_first(rest, what);
    WHEN 'operator family' THEN
        first := definition;
        rest := later;
    END CASE;
END $$;

-- The name of a CHECK that is NOT VALID; NULL for other constraints.
CREATE OR REPLACE FUNCTION pggit_daemon.unvalidated_check(definition text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (regexp_match(s.statement,
        $re$^ALTER (?:FOREIGN )?TABLE (?:"(?:""|[^"])*"|[^" ])+ ADD CONSTRAINT ("(?:""|[^"])*"|[^" ]+) CHECK .* NOT VALID;\n\Z$re$))[1]
    FROM pggit_daemon.statements(definition) s WHERE s.place = 1
$$;

-- A CHECK of one of these names, added without and then with a look at the rows. A parent of the table, or of its children,
-- has one of that name that is NOT VALID: the server refuses a valid one beside it, whichever comes first, but
-- not to validate it.
CREATE OR REPLACE FUNCTION pggit_daemon.validated_later(definition text, names text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start text := (SELECT s.statement FROM pggit_daemon.statements(definition) s WHERE s.place = 1);
    found text[] := regexp_match(start,
        $re$^(ALTER (?:FOREIGN )?TABLE (?:"(?:""|[^"])*"|[^" ])+) ADD CONSTRAINT ("(?:""|[^"])*"|[^" ]+) CHECK $re$);
BEGIN
    IF found IS NULL OR found[2] <> ALL (names) OR start ~ E' NOT (VALID|ENFORCED);\n$' THEN
        RETURN definition;
    END IF;
    RETURN left(start, -2) || E' NOT VALID;\n' || format(E'%s VALIDATE CONSTRAINT %s;\n', found[1], found[2])
        || substr(definition, length(start) + 1);
END $$;

-- The object created as a stub, and what completes it. Columns and attributes are added one by one, in their order.
CREATE OR REPLACE FUNCTION pggit_daemon.stub_forms(
    type text, identity text, definition text, OUT stub text, OUT completion text)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what  text := upper(type) || CASE type WHEN 'table' THEN ' ONLY ' ELSE ' ' END || identity;
    start text := (SELECT x.statement FROM pggit_daemon.statements(definition) x WHERE x.place = 1);
BEGIN
    IF type = 'type' AND NOT starts_with(start, format('CREATE TYPE %s AS (', identity)) THEN
        stub := format(E'CREATE TYPE %s;\n', identity);
        completion := definition;
        RETURN;
    END IF;
    -- Token by token: before the list, its items, behind it.
    WITH token AS (
        SELECT s.place, s.token, s.depth,
               count(*) FILTER (WHERE s.token = '(' AND s.depth = 1 OR s.token = ')' AND s.depth = 0)
                   OVER (ORDER BY s.place) AS section,
               count(*) FILTER (WHERE s.token = ',' AND s.depth = 1) OVER (ORDER BY s.place) AS item
          FROM pggit_daemon.sql_tokens(start) s
    ), line AS (
        SELECT p.item, btrim(string_agg(p.token, '' ORDER BY p.place)
                                 FILTER (WHERE NOT (p.depth = 1 AND p.token IN ('(', ','))), E' \n') AS words
          FROM token p WHERE p.section = 1 GROUP BY p.item
    )
    SELECT (SELECT string_agg(p.token, '' ORDER BY p.place) FROM token p WHERE p.section = 0)
           || '(' || (SELECT string_agg(p.token, '' ORDER BY p.place) FROM token p WHERE p.section >= 2),
           (SELECT string_agg(format(E'ALTER %s ADD %s %s;\n', what,
                                     CASE type WHEN 'table' THEN 'COLUMN' ELSE 'ATTRIBUTE' END, l.words), '' ORDER BY l.item)
              FROM line l WHERE l.words <> '')
      INTO stub, completion;
    completion := concat(completion, substr(definition, length(start) + 1));
END $$;
