-- Objects that depend on each other are created partially or as stubs, and completed later (see `partial_forms`,
-- `stub_forms`). Here is chosen which of them.

-- Whether a table of the cycle has columns whose types hold the domain inside (arrays, composite types, ranges): then the
-- server refuses to add a CHECK to the domain. Edges of one cycle; a column of the domain itself does not count.
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

-- Which objects have to be created partially or as stubs, which breaks dependency cycles. Edges in the order of their
-- sources, see `needs`. cycle_of: for each object its cycle, before anything is done; partial, stub: the objects to
-- create so; ignores_soft: for each object whether only ignoring soft dependencies breaks its cycle;
-- stuck: the objects of each cycle that nothing breaks.
CREATE OR REPLACE FUNCTION pggit_daemon.break_cycles(
    sorted pggit_daemon.description[], sources integer[], targets integer[], waits boolean[], soft boolean[],
    OUT cycle_of integer[], OUT partial integer[], OUT stub integer[], OUT ignores_soft boolean[], OUT stuck text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one_by_one constant integer := 8;    -- rounds; after them twice as many each time, so that the largest cycle ends
    total       integer := cardinality(sorted);
    rounds      integer := 0;
    edges       record;       -- those left inside of cycles; node: the object that takes the edge away when it is created
                              -- partially, or, negative, as a stub
    now         integer[];    -- the cycles that are left
    chosen      integer[];
    unbroken    integer[];    -- cycles without a choice
    soft_cycles integer[];    -- and those of them that have soft dependencies
    refused     integer[];    -- cycles whose choice the server will refuse
BEGIN
    partial := '{}';
    stub := '{}';
    stuck := '{}';
    ignores_soft := array_fill(false, ARRAY[total]);
    cycle_of := pggit_daemon.cycles(total, sources, targets);
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.identity, u.definition
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
         WHERE cycle_of[u.place] <> 0
    ), edge AS (
        SELECT e.s, e.t, e.soft,
               CASE WHEN NOT e.waits THEN pggit_daemon.stub_rank(s.type, s.definition, t.type, t.identity, t.definition) END AS stub_rank,
               CASE WHEN e.waits THEN pggit_daemon.partial_rank(s.type, s.definition) END AS rank
          FROM unnest(sources, targets, waits, soft) e (s, t, waits, soft)
          JOIN node s ON s.place = e.s JOIN node t ON t.place = e.t
         WHERE cycle_of[e.s] = cycle_of[e.t]
    )
    SELECT array_agg(e.s ORDER BY e.s, e.t) AS s, array_agg(e.t ORDER BY e.s, e.t) AS t,
           array_agg(CASE WHEN e.stub_rank IS NOT NULL THEN -e.t WHEN e.rank IS NOT NULL THEN e.s END ORDER BY e.s, e.t) AS node,
           array_agg(coalesce(e.stub_rank, e.rank) ORDER BY e.s, e.t) AS rank,
           array_agg(e.soft ORDER BY e.s, e.t) AS soft
      INTO edges FROM edge e;

    WHILE cardinality(edges.s) > 0 LOOP
        rounds := rounds + 1;
        now := pggit_daemon.cycles(total, edges.s, edges.t);
        SELECT array_agg(c.node) FILTER (WHERE c.node IS NOT NULL),
               array_agg(DISTINCT c.its_cycle) FILTER (WHERE c.node IS NULL),
               array_agg(DISTINCT c.its_cycle) FILTER (WHERE c.node IS NULL AND c.has_soft)
          INTO chosen, unbroken, soft_cycles
          FROM (SELECT DISTINCT x.its_cycle, x.node, x.has_soft,
                       dense_rank() OVER (PARTITION BY x.its_cycle ORDER BY abs(x.node)) AS number
                  FROM (SELECT now[e.s] AS its_cycle, e.node, e.rank, min(e.rank) OVER w AS best, bool_or(e.soft) OVER w AS has_soft
                          FROM unnest(edges.s, edges.t, edges.node, edges.rank, edges.soft) e (s, t, node, rank, soft)
                         WHERE now[e.s] = now[e.t] AND now[e.s] <> 0
                        WINDOW w AS (PARTITION BY now[e.s])) x
                 WHERE x.rank = x.best OR x.best IS NULL) c
         WHERE c.number <= 2 ^ greatest(rounds - one_by_one, 0);
        partial := partial || ARRAY(SELECT c.node FROM unnest(chosen) c (node) WHERE c.node > 0);
        stub := stub || ARRAY(SELECT -c.node FROM unnest(chosen) c (node) WHERE c.node < 0);
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
             WHERE now[u.place] = ANY (unbroken) AND now[u.place] <> ALL (coalesce(soft_cycles, '{}'))
                OR now[u.place] = ANY (refused)
             GROUP BY now[u.place] ORDER BY now[u.place]);
        FOR i IN 1 .. CASE WHEN soft_cycles IS NULL THEN 0 ELSE total END LOOP
            ignores_soft[i] := ignores_soft[i] OR now[i] = ANY (soft_cycles);
        END LOOP;
        SELECT array_agg(e.s ORDER BY e.place) AS s, array_agg(e.t ORDER BY e.place) AS t,
               array_agg(e.node ORDER BY e.place) AS node, array_agg(e.rank ORDER BY e.place) AS rank,
               array_agg(e.soft ORDER BY e.place) AS soft
          INTO edges
          FROM unnest(edges.s, edges.t, edges.node, edges.rank, edges.soft)
                   WITH ORDINALITY e (s, t, node, rank, soft, place)
         WHERE now[e.s] = now[e.t] AND now[e.s] <> 0
           AND coalesce(e.node <> ALL (chosen), true)
           AND (coalesce(now[e.s] <> ALL (unbroken), true) OR now[e.s] = ANY (soft_cycles) AND NOT e.soft);
    END LOOP;
END $$;
