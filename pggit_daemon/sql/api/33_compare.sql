-- diff, migration_diff and object_history: what changed, with before and after.

-- Where a hunk of a unified diff lies in one of the two texts: its first line and how many; alone before a single line.
CREATE OR REPLACE FUNCTION pggit_daemon.hunk_range(before bigint, lines bigint) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE lines WHEN 1 THEN (before + 1)::text WHEN 0 THEN before || ',0' ELSE before + 1 || ',' || lines END
$$;

-- Two texts as a unified diff: " " for what stays (up to three lines around a change), "-" and "+" for what goes and
-- comes, "@@" before each hunk; NULL where no line differs. What lies between the first and the last difference is
-- compared by the longest common sequence of lines; where that is too long to compare quickly, all of it goes and comes.
CREATE OR REPLACE FUNCTION pggit_daemon.changed_lines(before text, after text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old   text[] := coalesce(string_to_array(rtrim(before, E'\n'), E'\n'), '{}');
    new   text[] := coalesce(string_to_array(rtrim(after, E'\n'), E'\n'), '{}');
    front integer := 0;      -- lines that are the same at the beginning
    back  integer := 0;      -- and at the end
    rows  integer;           -- lines between them
    cols  integer;
    best  integer[];         -- how long the common sequence from here on is
    i     integer := 1;
    j     integer := 1;
    lines text[];
    marks text := '';
BEGIN
    WHILE front < least(cardinality(old), cardinality(new)) AND old[front + 1] = new[front + 1] LOOP
        front := front + 1;
    END LOOP;
    WHILE back < least(cardinality(old), cardinality(new)) - front
          AND old[cardinality(old) - back] = new[cardinality(new) - back] LOOP
        back := back + 1;
    END LOOP;
    lines := old[1:front];
    marks := repeat(' ', front);
    rows := cardinality(old) - back - front;
    cols := cardinality(new) - back - front;
    IF rows * cols BETWEEN 1 AND 100000 THEN
        best := array_fill(0, ARRAY[(rows + 1) * (cols + 1)]);
        FOR y IN REVERSE rows .. 1 LOOP
            FOR x IN REVERSE cols .. 1 LOOP
                best[(y - 1) * (cols + 1) + x] := CASE
                    WHEN old[front + y] = new[front + x] THEN best[y * (cols + 1) + x + 1] + 1
                    ELSE greatest(best[y * (cols + 1) + x], best[(y - 1) * (cols + 1) + x + 1]) END;
            END LOOP;
        END LOOP;
    END IF;
    WHILE i <= rows OR j <= cols LOOP
        IF best IS NOT NULL AND i <= rows AND j <= cols AND old[front + i] = new[front + j] THEN
            lines := lines || old[front + i];
            marks := marks || ' ';
            i := i + 1;
            j := j + 1;
        ELSIF i <= rows AND (j > cols OR best IS NULL
                             OR best[i * (cols + 1) + j] >= best[(i - 1) * (cols + 1) + j + 1]) THEN
            lines := lines || old[front + i];
            marks := marks || '-';
            i := i + 1;
        ELSE
            lines := lines || new[front + j];
            marks := marks || '+';
            j := j + 1;
        END IF;
    END LOOP;
    lines := lines || old[cardinality(old) - back + 1:];
    marks := marks || repeat(' ', back);
    RETURN (
        WITH line AS (
            SELECT l.place, l.words, m.mark,
                   count(*) FILTER (WHERE m.mark <> '+') OVER (ORDER BY l.place) AS of_old,
                   count(*) FILTER (WHERE m.mark <> '-') OVER (ORDER BY l.place) AS of_new
            FROM unnest(lines) WITH ORDINALITY AS l (words, place)
            CROSS JOIN LATERAL (SELECT substr(marks, l.place::integer, 1) AS mark) AS m
        ), kept AS (
            SELECT *, place - row_number() OVER (ORDER BY place) AS hunk
            FROM line
            WHERE substr(marks, greatest(place::integer - 3, 1), 7 - greatest(4 - place::integer, 0)) ~ '[-+]'
        ), hunk AS (
            SELECT min(place) AS place,
                   format(E'@@ -%s +%s @@\n',
                          pggit_daemon.hunk_range(min(of_old - (mark <> '+')::integer), count(*) FILTER (WHERE mark <> '+')),
                          pggit_daemon.hunk_range(min(of_new - (mark <> '-')::integer), count(*) FILTER (WHERE mark <> '-')))
                   || string_agg(mark || words, E'\n' ORDER BY place) AS words
            FROM kept GROUP BY hunk
        )
        SELECT string_agg(words, E'\n' ORDER BY place) FROM hunk);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.diff(a integer, b integer)
    RETURNS TABLE (object_type text, object_name text, old_name text, operation text, impact_level text, changes text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH held AS MATERIALIZED (
        SELECT v.id,
               v.from_commit <= a AND (v.to_commit IS NULL OR v.to_commit > a) AS at_a,
               v.from_commit <= b AND (v.to_commit IS NULL OR v.to_commit > b) AS at_b
        FROM pggit_daemon.object_version AS v
        -- What began after both, or ended before both, held at neither.
        WHERE v.from_commit <= greatest(a, b) AND (v.to_commit IS NULL OR v.to_commit > least(a, b))
    ), rewritten AS MATERIALIZED (
        SELECT DISTINCT name
        FROM pggit.commits AS c CROSS JOIN LATERAL jsonb_array_elements_text(c.metadata -> 'rewrites') AS name
        WHERE c.id > least(a, b) AND c.id <= greatest(a, b) AND c.metadata ? 'rewrites'
    )
    SELECT p.type, p.identity, p.old_identity, p.operation,
           pggit_daemon.impact_level(p.type, p.operation, p.old_definition, p.new_definition,
                                     p.type = 'table' AND EXISTS (SELECT FROM rewritten AS r
                                                                  WHERE r.name IN (p.identity, p.old_identity))),
           pggit_daemon.changed_lines(p.old_definition, p.new_definition)
    FROM pggit_daemon.paired(ARRAY(SELECT h.id FROM held AS h WHERE h.at_a AND NOT h.at_b),
                             ARRAY(SELECT h.id FROM held AS h WHERE h.at_b AND NOT h.at_a)) AS p
    ORDER BY pggit_daemon.kind_rank(p.type), p.schema_name COLLATE "C" NULLS FIRST, p.identity COLLATE "C", p.type
$$;

CREATE OR REPLACE FUNCTION pggit.diff(from_commit text, to_commit text)
    RETURNS TABLE (object_type text, object_name text, old_name text, operation text, impact_level text, changes text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pggit_daemon.diff(pggit_daemon.find_commit(from_commit), pggit_daemon.find_commit(to_commit))
$$;
CREATE OR REPLACE FUNCTION pggit.diff(from_commit integer, to_commit integer)
    RETURNS TABLE (object_type text, object_name text, old_name text, operation text, impact_level text, changes text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pggit_daemon.diff(pggit_daemon.find_commit('@' || from_commit), pggit_daemon.find_commit('@' || to_commit))
$$;

COMMENT ON FUNCTION pggit.diff(text, text) IS
    'The objects that differ between two commits (head, an id, or digits of the hash), each as a unified diff of its definition.';
COMMENT ON FUNCTION pggit.diff(integer, integer) IS
    'The objects that differ between two commits, each as a unified diff of its definition.';

-- Several tools may have the id: then all of them answer, and the last two columns say which does.
CREATE OR REPLACE FUNCTION pggit.migration_diff(migration_id bigint, tool_name text DEFAULT NULL)
    RETURNS TABLE (object_type text, object_name text, old_name text, operation text, impact_level text, changes text,
                   tool text, source text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m    pggit.external_migrations;
    note text;
BEGIN
    FOR m IN SELECT f.* FROM pggit_daemon.find_migrations($1, $2) AS f LOOP
        note := pggit_daemon.not_its_own(m);
        IF note IS NOT NULL THEN
            RAISE NOTICE '%', note;
        END IF;
        RETURN QUERY
            SELECT c.type, c.identity, c.old_identity, c.operation, c.level,
                   pggit_daemon.changed_lines(c.old_definition, c.new_definition), m.tool_name, m.source
            FROM pggit_daemon.changes_of(m) AS c
            ORDER BY pggit_daemon.kind_rank(c.type), c.schema_name COLLATE "C" NULLS FIRST, c.identity COLLATE "C", c.type;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pggit.migration_diff(migration text, tool_name text DEFAULT NULL)
    RETURNS TABLE (object_type text, object_name text, old_name text, operation text, impact_level text, changes text,
                   tool text, source text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT diff.* FROM pggit_daemon.find_migrations($1, $2) AS m
    CROSS JOIN LATERAL pggit.migration_diff(m.migration_id, m.source) AS diff
$$;

COMMENT ON FUNCTION pggit.migration_diff(text, text) IS
    'The same of a migration that is named by its tool''s own version, or by its name where only one has it.';
COMMENT ON FUNCTION pggit.migration_diff(bigint, text) IS
    'The objects that a migration changed (all its commits together, and nobody else''s), each as a unified diff of its definition.';

-- The recorded name that a caller means: as it stands in the record, or without its schema where that is clear.
CREATE OR REPLACE FUNCTION pggit_daemon.find_object(said text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text[];
BEGIN
    IF said IS NULL OR said !~ '\S' THEN
        RAISE EXCEPTION 'object_name must not be empty' USING ERRCODE = CASE WHEN said IS NULL THEN '22004' ELSE '22023' END,
            HINT = 'Pass a name as ''public.users''.';
    END IF;
    IF EXISTS (SELECT FROM pggit_daemon.object_version AS v
                WHERE hashtextextended(v.identity, 0) = hashtextextended(said, 0) AND v.identity = said) THEN
        RETURN said;
    END IF;
    found := ARRAY(
        SELECT DISTINCT v.identity
        FROM pggit_daemon.object_version AS v
        JOIN (SELECT DISTINCT s.schema_name FROM pggit_daemon.object_version AS s WHERE s.schema_name IS NOT NULL) AS home
          ON hashtextextended(v.identity, 0) IN (hashtextextended(quote_ident(home.schema_name) || '.' || said, 0),
                                                 hashtextextended(quote_ident(home.schema_name) || '.' || quote_ident(said), 0))
         AND v.identity IN (quote_ident(home.schema_name) || '.' || said,
                            quote_ident(home.schema_name) || '.' || quote_ident(said))
        ORDER BY v.identity);
    IF cardinality(found) = 1 THEN
        RETURN found[1];
    ELSIF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'several objects are called %: %', left(said, 200), array_to_string(found, ', ')
            USING ERRCODE = '42725', HINT = 'Pass one of these names.';
    END IF;
    RAISE EXCEPTION 'no object "%" is recorded', left(said, 200) USING ERRCODE = '42704',
        HINT = 'Pass the name as pggit.commit_changes has it, as ''public.users'' or ''public.total(integer)''.';
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.object_history(wanted text)
    RETURNS TABLE (commit_id integer, commit_hash text, occurred_at timestamptz, kind text, author text,
                   tool_name text, source text, migration_id bigint, migration_name text, object_type text,
                   object_name text, old_name text, operation text, impact_level text, before text, after text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH RECURSIVE named (type, identity, classid, objid, until) AS (
        -- Every version under this name, and those of the same object under its earlier names.
        SELECT v.type, v.identity, v.classid, v.objid, NULL::integer
        FROM pggit_daemon.object_version AS v
        WHERE hashtextextended(v.identity, 0) = hashtextextended(wanted, 0) AND v.identity = wanted
        UNION
        SELECT earlier.type, earlier.identity, earlier.classid, earlier.objid, earlier.to_commit
        FROM named
        JOIN pggit_daemon.object_version AS later
          ON hashtextextended(later.identity, 0) = hashtextextended(named.identity, 0)
         AND later.identity = named.identity AND later.type = named.type
         AND (later.objid, later.classid) = (named.objid, named.classid)
         AND (named.until IS NULL OR later.to_commit <= named.until)
        JOIN pggit_daemon.object_version AS earlier
          ON earlier.to_commit = later.from_commit AND (earlier.objid, earlier.classid) = (later.objid, later.classid)
         AND earlier.identity <> later.identity
    ), version AS (
        SELECT DISTINCT v.from_commit, v.to_commit
        FROM named
        JOIN pggit_daemon.object_version AS v
          ON hashtextextended(v.identity, 0) = hashtextextended(named.identity, 0)
         AND v.identity = named.identity AND v.type = named.type
         AND (named.until IS NULL OR v.to_commit <= named.until)
        UNION
        -- What constrains a table is the table's.
        SELECT v.from_commit, v.to_commit
        FROM pggit_daemon.object_version AS v
        WHERE v.type = 'table constraint' AND pggit_daemon.table_of(v.type, v.identity, NULL) = wanted
    ), touched AS (
        SELECT from_commit AS id FROM version UNION SELECT to_commit FROM version WHERE to_commit IS NOT NULL
    )
    SELECT c.id, c.hash, coalesce(c.occurred_at, c.committed_at AT TIME ZONE 'UTC'), c.kind, c.author,
           m.tool_name, m.source, m.migration_id, m.migration_name,
           change.object_type, change.object_name, change.old_name, change.operation, change.level,
           change.old_definition, change.new_definition
    FROM touched
    JOIN pggit.commits AS c ON c.id = touched.id
    CROSS JOIN LATERAL pggit_daemon.changes_in(c.id) AS change
    LEFT JOIN LATERAL (
        SELECT e.tool_name, e.source, e.migration_id, e.migration_name
        FROM pggit_daemon.link AS l
        JOIN pggit.external_migrations AS e
          ON (e.tool_name, e.source, e.migration_id) = (l.tool_name, l.source, l.migration_id)
        WHERE l.commit_id = c.id AND c.kind <> 'baseline'
        ORDER BY l.id DESC LIMIT 1
    ) AS m ON true
    WHERE EXISTS (SELECT FROM named WHERE named.type = change.object_type
                                      AND named.identity IN (change.object_name, change.old_name))
       OR change.object_type = 'table constraint'
          AND pggit_daemon.table_of(change.object_type, change.object_name, NULL) = wanted
    ORDER BY c.id, pggit_daemon.kind_rank(change.object_type), change.object_name
$$;

CREATE OR REPLACE FUNCTION pggit.object_history(object_name text)
    RETURNS TABLE (commit_id integer, commit_hash text, occurred_at timestamptz, kind text, author text,
                   tool_name text, source text, migration_id bigint, migration_name text, object_type text,
                   object_name text, old_name text, operation text, impact_level text, before text, after text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pggit_daemon.object_history(pggit_daemon.find_object($1))
$$;

COMMENT ON FUNCTION pggit.object_history(text) IS
    'Each migration or hand that ever changed an object, oldest first, with its definition before and after; under its earlier names too, and with the constraints of a table.';
