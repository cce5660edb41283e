-- Objects that need each other are opened: one of them is made in a first form, and completed once the rest of its
-- loop is there. Here is chosen which.

-- Whose waiting opens a loop best: the least first. 0 is for shells of types, NULL for what has one form only.
CREATE OR REPLACE FUNCTION pggit_daemon.opening_rank(type text, definition text) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN NOT pggit_daemon.has_first_form(type, definition) THEN NULL
        WHEN type = 'operator family' THEN 1                -- loose members
        WHEN type IN ('table', 'foreign table') THEN 2      -- defaults
        WHEN type = 'view' THEN 3                           -- the query
        WHEN type IN ('function', 'procedure') THEN 4       -- the body
        -- CHECKs come last: the server refuses them late for a domain that is inside of other types by then.
        WHEN type = 'domain' THEN 5 END
$$;

-- Whether a function can be made with the shell of a type that it is a part of: of a base or range type, unless the
-- function is written in SQL.
CREATE OR REPLACE FUNCTION pggit_daemon.takes_shell(
    type text, definition text, of_type text, of_identity text, of_definition text) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT type = 'function' AND of_type = 'type'
       AND (starts_with(of_definition, format(E'CREATE TYPE %s (\n    INTERNALLENGTH', of_identity))
            OR starts_with(of_definition, format('CREATE TYPE %s AS RANGE (', of_identity)))
       AND definition !~ E'\n LANGUAGE sql\n'
$$;

-- Which objects have to be opened. Edges in the order of their sources, see `needs`. loop_of: for each object its loop,
-- before anything is opened; opened: the objects to open; unheeded: for each object whether it stands in a loop that
-- only giving up wishes opened; stuck: the objects of each loop that nothing opens.
CREATE OR REPLACE FUNCTION pggit_daemon.open_loops(
    sorted pggit_daemon.description[], sources integer[], targets integer[], waits boolean[], wish boolean[],
    OUT loop_of integer[], OUT opened integer[], OUT unheeded boolean[], OUT stuck text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one_by_one constant integer := 30;    -- rounds; after them all of a rank at once, for time's sake
    total  integer := cardinality(sorted);
    rounds integer := 0;
    edges  record;       -- those that are left inside of loops; node: whose opening takes one away, NULL for nobody's
    now    integer[];    -- the loops that are left
    chosen integer[];
    closed integer[];    -- loops without a choice
    given  integer[];    -- and those of them that have wishes
BEGIN
    opened := '{}';
    stuck := '{}';
    unheeded := array_fill(false, ARRAY[total]);
    loop_of := pggit_daemon.loops(total, sources, targets);
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.identity, u.definition
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
         WHERE loop_of[u.place] <> 0
    ), edge AS (
        SELECT e.s, e.t, e.wish, pggit_daemon.takes_shell(s.type, s.definition, t.type, t.identity, t.definition) AS shell,
               CASE WHEN e.waits THEN pggit_daemon.opening_rank(s.type, s.definition) END AS rank
          FROM unnest(sources, targets, waits, wish) e (s, t, waits, wish)
          JOIN node s ON s.place = e.s JOIN node t ON t.place = e.t
         WHERE loop_of[e.s] = loop_of[e.t]
    )
    SELECT array_agg(e.s ORDER BY e.s, e.t) AS s, array_agg(e.t ORDER BY e.s, e.t) AS t,
           array_agg(CASE WHEN e.shell THEN e.t WHEN e.rank IS NOT NULL THEN e.s END ORDER BY e.s, e.t) AS node,
           array_agg(CASE WHEN e.shell THEN 0 ELSE e.rank END ORDER BY e.s, e.t) AS rank,
           array_agg(e.wish ORDER BY e.s, e.t) AS wish
      INTO edges FROM edge e;

    WHILE cardinality(edges.s) > 0 LOOP
        rounds := rounds + 1;
        now := pggit_daemon.loops(total, edges.s, edges.t);
        SELECT array_agg(c.node) FILTER (WHERE c.node IS NOT NULL),
               array_agg(DISTINCT c.its_loop) FILTER (WHERE c.node IS NULL),
               array_agg(DISTINCT c.its_loop) FILTER (WHERE c.node IS NULL AND c.has_wish)
          INTO chosen, closed, given
          FROM (SELECT DISTINCT ON (x.its_loop, CASE WHEN rounds > one_by_one THEN x.node END) x.*
                  FROM (SELECT now[e.s] AS its_loop, e.node, e.rank, min(e.rank) OVER w AS best, bool_or(e.wish) OVER w AS has_wish
                          FROM unnest(edges.s, edges.t, edges.node, edges.rank, edges.wish) e (s, t, node, rank, wish)
                         WHERE now[e.s] = now[e.t] AND now[e.s] <> 0
                        WINDOW w AS (PARTITION BY now[e.s])) x
                 WHERE x.rank = x.best OR x.best IS NULL
                 ORDER BY x.its_loop, CASE WHEN rounds > one_by_one THEN x.node END, x.node) c;
        opened := opened || coalesce(chosen, '{}');
        stuck := stuck || ARRAY(
            SELECT string_agg(u.type || ' ' || u.identity, ', ' ORDER BY u.place)
              FROM unnest(sorted) WITH ORDINALITY
                   u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
             WHERE now[u.place] = ANY (closed) AND now[u.place] <> ALL (coalesce(given, '{}'))
             GROUP BY now[u.place] ORDER BY now[u.place]);
        FOR i IN 1 .. CASE WHEN given IS NULL THEN 0 ELSE total END LOOP
            unheeded[i] := unheeded[i] OR now[i] = ANY (given);
        END LOOP;
        SELECT array_agg(e.s ORDER BY e.place) AS s, array_agg(e.t ORDER BY e.place) AS t,
               array_agg(e.node ORDER BY e.place) AS node, array_agg(e.rank ORDER BY e.place) AS rank,
               array_agg(e.wish ORDER BY e.place) AS wish
          INTO edges
          FROM unnest(edges.s, edges.t, edges.node, edges.rank, edges.wish)
                   WITH ORDINALITY e (s, t, node, rank, wish, place)
         WHERE now[e.s] = now[e.t] AND now[e.s] <> 0
           AND coalesce(e.node <> ALL (chosen), true)
           AND (coalesce(now[e.s] <> ALL (closed), true) OR now[e.s] = ANY (given) AND NOT e.wish);
    END LOOP;
END $$;
