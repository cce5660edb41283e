-- Cutting recorded definitions: into tokens, statements, and what can stand without something.

-- The tokens of SQL: texts and quoted names whole, words, single characters; `depth` counts the open parentheses.
CREATE OR REPLACE FUNCTION pggit_daemon.sql_tokens(words text) RETURNS TABLE (place bigint, token text, depth bigint)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.place, m.token[1],
           sum(CASE WHEN m.token[1] IN ('(', '[') THEN 1 WHEN m.token[1] IN (')', ']') THEN -1 ELSE 0 END)
               OVER (ORDER BY m.place)
      FROM regexp_matches(words, $re$'(?:''|[^'])*'|"(?:""|[^"])*"|[A-Za-z0-9_]+|[^A-Za-z0-9_'"]$re$, 'g')
               WITH ORDINALITY m (token, place)
$$;

-- The statements of a definition without bodies of functions, each with its ";\n".
CREATE OR REPLACE FUNCTION pggit_daemon.statements(definition text) RETURNS TABLE (place bigint, statement text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.place, m.words[1]
      FROM regexp_matches(definition, $re$(?:'(?:''|[^'])*'|"(?:""|[^"])*"|[^;'"])*;\n$re$, 'g')
               WITH ORDINALITY m (words, place)
$$;

-- CREATE TABLE without the defaults of its columns, and the statements that set them. In the list of columns each
-- begins with its name; a default reaches to the next comma, NOT NULL or CONSTRAINT outside parentheses.
CREATE OR REPLACE FUNCTION pggit_daemon.without_defaults(statement text, what text, OUT first text, OUT rest text)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p           record;
    column_name text;
    expression  text;                 -- of the default that is being read
    is_over     boolean := false;     -- the list of columns
BEGIN
    first := '';
    rest := '';
    FOR p IN SELECT s.token, s.depth FROM pggit_daemon.sql_tokens(statement) s ORDER BY s.place LOOP
        IF expression IS NOT NULL
           AND (p.depth = 1 AND p.token IN (',', 'NOT', 'CONSTRAINT') OR p.depth = 0) THEN
            rest := rest || format(E'ALTER %s ALTER COLUMN %s SET DEFAULT %s;\n', what, column_name,
                                   btrim(expression, E' \n'));
            first := first || CASE WHEN p.depth = 0 THEN E'\n' WHEN p.token = ',' THEN '' ELSE ' ' END;
            expression := NULL;
        END IF;
        IF expression IS NOT NULL THEN
            expression := expression || p.token;
            CONTINUE;
        END IF;
        IF is_over OR p.depth = 0 THEN
            is_over := is_over OR p.token = ')';
        ELSIF p.token = ',' AND p.depth = 1 OR p.token = '(' AND p.depth = 1 THEN
            column_name := NULL;
        ELSIF column_name IS NULL AND p.token !~ '^\s$' THEN
            column_name := p.token;
        ELSIF p.token = 'DEFAULT' AND p.depth = 1 THEN
            first := rtrim(first);
            expression := '';
            CONTINUE;
        END IF;
        first := first || p.token;
    END LOOP;
END $$;

-- CREATE DOMAIN without its default and CHECKs, and the statements that add them.
CREATE OR REPLACE FUNCTION pggit_daemon.without_checks(statement text, what text, OUT first text, OUT rest text)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    clause text;
BEGIN
    rest := '';
    FOR clause IN
        SELECT string_agg(c.token, '' ORDER BY c.place)
          FROM (SELECT s.place, s.token,
                       count(*) FILTER (WHERE s.token IN ('DEFAULT', 'CONSTRAINT') AND s.depth = 0)
                           OVER (ORDER BY s.place) AS number
                  FROM pggit_daemon.sql_tokens(regexp_replace(statement, E';\n$', '')) s) c
         GROUP BY c.number ORDER BY c.number
    LOOP
        clause := rtrim(clause, E' \n');
        IF first IS NULL THEN
            first := clause;
        ELSIF clause ~ '^DEFAULT ' THEN
            rest := rest || format(E'ALTER %s SET %s;\n', what, clause);
        ELSIF clause ~ ' NOT NULL$' THEN
            first := first || ' ' || clause;
        ELSE
            rest := rest || format(E'ALTER %s ADD %s;\n', what, clause);
        END IF;
    END LOOP;
    first := first || E';\n';
END $$;

-- A function up to its body of the SQL standard's form, which alone can need other objects; NULL for another body.
CREATE OR REPLACE FUNCTION pggit_daemon.function_head(definition text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (regexp_match(definition,
        $re$^((?:'(?:''|[^'])*'|"(?:""|[^"])*"|[^'"\n]|\n(?!BEGIN ATOMIC|RETURN |AS ))*\n)(?:BEGIN ATOMIC|RETURN )$re$))[1]
$$;
