-- The order in which descriptions restore: by kind as pg_dump has it, then schema, then name, and whatever another
-- object depends on is pulled before it. Nothing else moves.

-- Who needs whom, by places in `sorted`. `waits`: the source can exist without the target. `wish`: no catalog says so,
-- but the text of the source may mean something else, or nothing, without the target: what sorts or groups by an
-- operator wants the operator's class or family, what casts wants the cast and not only its function or its types.
CREATE OR REPLACE FUNCTION pggit_daemon.needs(sorted pggit_daemon.description[])
    RETURNS TABLE (source integer, target integer, waits boolean, wish boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.type || ' ' || u.identity AS key, u.depends
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
    ), edge AS MATERIALIZED (
        SELECT s.place AS source, s.type AS source_type, t.place AS target, t.type AS target_type, k.key LIKE '~%' AS waits
          FROM node s CROSS JOIN LATERAL unnest(s.depends) k (key) JOIN node t ON t.key = ltrim(k.key, '~')
         WHERE s.place <> t.place
    ), wisher AS MATERIALIZED (
        SELECT e.* FROM edge e
         WHERE e.source_type NOT IN ('operator class', 'operator family', 'operator', 'aggregate', 'cast', 'type')
           AND (e.source_type NOT IN ('function', 'procedure') OR e.waits)
    ), wish AS (
        SELECT x.source, c.source AS target, x.waits
          FROM edge c JOIN wisher x ON x.target = c.target
         WHERE c.target_type = 'operator' AND c.source_type IN ('operator class', 'operator family')
            OR c.target_type = 'function' AND c.source_type = 'cast'
         UNION ALL
        SELECT x.source, c.source, true
          FROM edge c
          JOIN edge x ON x.waits
                     AND (x.target = c.target
                          OR EXISTS (SELECT FROM edge via WHERE via.source = x.target AND via.target = c.target))
         WHERE c.source_type = 'cast' AND c.target_type IN ('type', 'domain')
           AND NOT EXISTS (SELECT FROM edge f WHERE f.source = c.source AND f.target_type = 'function')
    )
    SELECT e.source, e.target, bool_and(e.waits), bool_and(e.wish)
      FROM (SELECT n.source, n.target, n.waits, false AS wish FROM edge n
             UNION ALL
            SELECT w.source, w.target, w.waits, true FROM wish w WHERE w.source <> w.target) e
     GROUP BY e.source, e.target
$$;

-- The edges once some objects are opened. The first form of n keeps the number n, the rest gets n + total. Inside of its
-- loop an opened object is needed in its first form, outside of it as a whole. The shell of a type needs its schema
-- only, and is enough for functions only; every other first form needs all that cannot wait. `unheeded`: whose wishes
-- within their loop count for nothing.
CREATE OR REPLACE FUNCTION pggit_daemon.needs_of_forms(
    sorted pggit_daemon.description[], sources integer[], targets integer[], waits boolean[], wish boolean[],
    loop_of integer[], unheeded boolean[], is_open boolean[])
    RETURNS TABLE (source integer, target integer)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, is_open[u.place] AS is_open, loop_of[u.place] AS its_loop,
               CASE WHEN loop_of[u.place] <> 0 THEN u.identity END AS identity,
               CASE WHEN loop_of[u.place] <> 0 THEN u.definition END AS definition
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
    )
    SELECT CASE WHEN NOT s.is_open THEN s.place
                WHEN s.type = 'type' THEN CASE WHEN t.type = 'schema' THEN s.place ELSE s.place + cardinality(sorted) END
                WHEN e.waits THEN s.place + cardinality(sorted)
                ELSE s.place END,
           CASE WHEN NOT t.is_open THEN t.place
                WHEN s.its_loop = t.its_loop
                 AND (t.type <> 'type'
                      OR pggit_daemon.takes_shell(s.type, s.definition, t.type, t.identity, t.definition)) THEN t.place
                ELSE t.place + cardinality(sorted) END
      FROM unnest(sources, targets, waits, wish) e (s, t, waits, wish)
      JOIN node s ON s.place = e.s JOIN node t ON t.place = e.t
     WHERE NOT (e.wish AND s.its_loop = t.its_loop AND unheeded[e.s])
     UNION ALL
    SELECT n.place + cardinality(sorted), n.place FROM node n WHERE n.is_open
$$;

-- The descriptions in the order in which they restore. `sorted` must be in the order of kinds already. placed: places in
-- `sorted`; parts: beside each 0 for the whole object, 1 for its first form, 2 for the rest; stuck: the objects of each
-- loop that nothing opens.
CREATE OR REPLACE FUNCTION pggit_daemon.restore_order(
    sorted pggit_daemon.description[], OUT placed integer[], OUT parts integer[], OUT stuck text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total   integer := coalesce(cardinality(sorted), 0);
    is_open boolean[] := array_fill(false, ARRAY[total]);
    roots   integer[] := ARRAY(SELECT generate_series(1, total));
    edges   record;
    opening record;
    walked  record;
BEGIN
    placed := '{}';
    parts := '{}';
    stuck := '{}';
    IF total = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(n.source ORDER BY n.source, n.target) AS sources, array_agg(n.target ORDER BY n.source, n.target) AS targets,
           array_agg(n.waits ORDER BY n.source, n.target) AS waits, array_agg(n.wish ORDER BY n.source, n.target) AS wish
      INTO edges FROM pggit_daemon.needs(sorted) n;
    SELECT * INTO walked FROM pggit_daemon.walk(total, roots, edges.sources, edges.targets);
    IF walked.looped THEN
        SELECT * INTO opening FROM pggit_daemon.open_loops(sorted, edges.sources, edges.targets, edges.waits, edges.wish);
        stuck := opening.stuck;
        FOR i IN 1 .. cardinality(opening.opened) LOOP
            is_open[opening.opened[i]] := true;
        END LOOP;
        roots := ARRAY(SELECT CASE WHEN is_open[i] THEN i + total ELSE i END FROM generate_series(1, total) i);
        SELECT array_agg(n.source ORDER BY n.source, n.target) AS sources, array_agg(n.target ORDER BY n.source, n.target) AS targets
          INTO edges
          FROM pggit_daemon.needs_of_forms(sorted, edges.sources, edges.targets, edges.waits, edges.wish,
                                           opening.loop_of, opening.unheeded, is_open) n;
        SELECT * INTO walked FROM pggit_daemon.walk(total * 2, roots, edges.sources, edges.targets);
    END IF;
    SELECT array_agg(CASE WHEN w.node > total THEN w.node - total ELSE w.node END ORDER BY w.place),
           array_agg(CASE WHEN w.node > total THEN 2 WHEN is_open[w.node] THEN 1 ELSE 0 END ORDER BY w.place)
      INTO placed, parts
      FROM unnest(walked.placed) WITH ORDINALITY w (node, place);
END $$;
