-- Objects that need each other are opened, or begun hollow (see `opened_forms`, `hollow_forms`). Here is chosen which.

-- Whether a table of the loop has columns whose types hold the domain inside (arrays, composite types, ranges): then the
-- server refuses to add a CHECK to the domain. Edges of one loop; a domain that stands in a column itself is no matter.
CREATE OR REPLACE FUNCTION pggit_daemon.is_inside(
    sorted pggit_daemon.description[], of_domain integer, sources integer[], targets integer[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM unnest(sources, targets) e (s, t)
         WHERE e.t = of_domain AND (sorted[e.s]).type = 'table'
           AND strpos((sorted[e.s]).definition, (sorted[of_domain]).identity || '[') > 0)
        OR EXISTS (
        SELECT FROM unnest(sources, targets) e (s, t) JOIN unnest(sources, targets) up (s, t) ON up.t = e.s
         WHERE e.t = of_domain AND (sorted[e.s]).type = 'type' AND (sorted[up.s]).type = 'table')
$$;

-- Which objects have to be opened. Edges in the order of their sources, see `needs`. loop_of: for each object its loop,
-- before anything is done; opened, hollow: the objects to open and to begin hollow; unheeded: for each object whether it stands in a loop that
-- only giving up wishes opened; stuck: the objects of each loop that nothing opens.
CREATE OR REPLACE FUNCTION pggit_daemon.open_loops(
    sorted pggit_daemon.description[], sources integer[], targets integer[], waits boolean[], wish boolean[],
    OUT loop_of integer[], OUT opened integer[], OUT hollow integer[], OUT unheeded boolean[], OUT stuck text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one_by_one constant integer := 8;    -- rounds; after them twice as many each time, so that the largest loop ends
    total  integer := cardinality(sorted);
    rounds integer := 0;
    edges  record;       -- those that are left inside of loops; node: whose opening takes one away, negative: whose shell
    now    integer[];    -- the loops that are left
    chosen integer[];
    closed integer[];    -- loops without a choice
    given  integer[];    -- and those of them that have wishes
    refused integer[];   -- loops whose choice the server will refuse
BEGIN
    opened := '{}';
    hollow := '{}';
    stuck := '{}';
    unheeded := array_fill(false, ARRAY[total]);
    loop_of := pggit_daemon.loops(total, sources, targets);
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.identity, u.definition
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
         WHERE loop_of[u.place] <> 0
    ), edge AS (
        SELECT e.s, e.t, e.wish, CASE WHEN NOT e.waits THEN pggit_daemon.hollow_rank(s.type, s.definition, t.type, t.identity, t.definition) END AS shell,
               CASE WHEN e.waits THEN pggit_daemon.opening_rank(s.type, s.definition) END AS rank
          FROM unnest(sources, targets, waits, wish) e (s, t, waits, wish)
          JOIN node s ON s.place = e.s JOIN node t ON t.place = e.t
         WHERE loop_of[e.s] = loop_of[e.t]
    )
    SELECT array_agg(e.s ORDER BY e.s, e.t) AS s, array_agg(e.t ORDER BY e.s, e.t) AS t,
           array_agg(CASE WHEN e.shell IS NOT NULL THEN -e.t WHEN e.rank IS NOT NULL THEN e.s END ORDER BY e.s, e.t) AS node,
           array_agg(coalesce(e.shell, e.rank) ORDER BY e.s, e.t) AS rank,
           array_agg(e.wish ORDER BY e.s, e.t) AS wish
      INTO edges FROM edge e;

    WHILE cardinality(edges.s) > 0 LOOP
        rounds := rounds + 1;
        now := pggit_daemon.loops(total, edges.s, edges.t);
        SELECT array_agg(c.node) FILTER (WHERE c.node IS NOT NULL),
               array_agg(DISTINCT c.its_loop) FILTER (WHERE c.node IS NULL),
               array_agg(DISTINCT c.its_loop) FILTER (WHERE c.node IS NULL AND c.has_wish)
          INTO chosen, closed, given
          FROM (SELECT DISTINCT x.its_loop, x.node, x.has_wish,
                       dense_rank() OVER (PARTITION BY x.its_loop ORDER BY abs(x.node)) AS number
                  FROM (SELECT now[e.s] AS its_loop, e.node, e.rank, min(e.rank) OVER w AS best, bool_or(e.wish) OVER w AS has_wish
                          FROM unnest(edges.s, edges.t, edges.node, edges.rank, edges.wish) e (s, t, node, rank, wish)
                         WHERE now[e.s] = now[e.t] AND now[e.s] <> 0
                        WINDOW w AS (PARTITION BY now[e.s])) x
                 WHERE x.rank = x.best OR x.best IS NULL) c
         WHERE c.number <= 2 ^ greatest(rounds - one_by_one, 0);
        opened := opened || ARRAY(SELECT c.node FROM unnest(chosen) c (node) WHERE c.node > 0);
        hollow := hollow || ARRAY(SELECT -c.node FROM unnest(chosen) c (node) WHERE c.node < 0);
        SELECT array_agg(now[c.node]) INTO refused
          FROM unnest(chosen) c (node)
         WHERE c.node > 0 AND (sorted[c.node]).type = 'domain'
           AND pggit_daemon.is_inside(sorted, c.node,
                                      ARRAY(SELECT e.s FROM unnest(edges.s, edges.t) e (s, t) WHERE now[e.s] = now[c.node]),
                                      ARRAY(SELECT e.t FROM unnest(edges.s, edges.t) e (s, t) WHERE now[e.s] = now[c.node]));
        stuck := stuck || ARRAY(
            SELECT string_agg(u.type || ' ' || u.identity, ', ' ORDER BY u.place)
              FROM unnest(sorted) WITH ORDINALITY
                   u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
             WHERE now[u.place] = ANY (closed) AND now[u.place] <> ALL (coalesce(given, '{}'))
                OR now[u.place] = ANY (refused)
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
