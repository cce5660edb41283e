-- The order in which descriptions restore: by kind as pg_dump has it, then schema, then name, and whatever another
-- object depends on is pulled before it. Nothing else moves.

-- The dependencies, by places in `sorted`. `waits`: the source can exist without the target. `soft`: no catalog says so,
-- but the text of the source may mean something else, or nothing, without the target: what sorts or groups by an
-- operator depends on the operator's class or family, what casts on the cast and not only on its function or its types.
CREATE OR REPLACE FUNCTION pggit_daemon.needs(sorted pggit_daemon.description[])
    RETURNS TABLE (source integer, target integer, waits boolean, soft boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.type || ' ' || u.identity AS key, u.depends
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
    ), edge AS MATERIALIZED (
        SELECT s.place AS source, s.type AS source_type, t.place AS target, t.type AS target_type, k.key LIKE '~%' AS waits
          FROM node s CROSS JOIN LATERAL unnest(s.depends) k (key) JOIN node t ON t.key = ltrim(k.key, '~')
         WHERE s.place <> t.place
    ), dependent AS MATERIALIZED (
        SELECT e.* FROM edge e
         WHERE e.source_type NOT IN ('operator class', 'operator family', 'operator', 'aggregate', 'cast', 'type')
           AND (e.source_type NOT IN ('function', 'procedure') OR e.waits)
    ), bare_cast AS MATERIALIZED (    -- without a function, so that only its types depend on it
        SELECT c.source, c.target FROM edge c
         WHERE c.source_type = 'cast' AND c.target_type IN ('type', 'domain')
           AND NOT EXISTS (SELECT FROM edge f WHERE f.source = c.source AND f.target_type = 'function')
    ), soft AS (
        SELECT x.source, c.source AS target, x.waits
          FROM edge c JOIN dependent x ON x.target = c.target
         WHERE c.target_type = 'operator' AND c.source_type IN ('operator class', 'operator family')
            OR c.target_type = 'function' AND c.source_type = 'cast'
         UNION ALL
        SELECT x.source, c.source, true
          FROM bare_cast c JOIN edge x ON x.target = c.target WHERE x.waits
         UNION ALL
        SELECT x.source, c.source, true
          FROM bare_cast c JOIN edge via ON via.target = c.target JOIN edge x ON x.target = via.source WHERE x.waits
    )
    SELECT e.source, e.target, bool_and(e.waits), bool_and(e.soft)
      FROM (SELECT n.source, n.target, n.waits, false AS soft FROM edge n
             UNION ALL
            SELECT w.source, w.target, w.waits, true FROM soft w WHERE w.source <> w.target) e
     GROUP BY e.source, e.target
$$;

-- The edges between forms. Of n, n is the object as far as its cycle needs it, n + total is the whole where it is partial,
-- n + 2 * total its stub; 3 * total + n is the whole cycle of which n is the least, and what
-- stands outside waits for that. A stub needs next to nothing, and is enough for functions.
-- `ignores_soft`: whose soft dependencies within their cycle are ignored.
CREATE OR REPLACE FUNCTION pggit_daemon.needs_of_forms(
    sorted pggit_daemon.description[], sources integer[], targets integer[], waits boolean[], soft boolean[],
    cycle_of integer[], ignores_soft boolean[], is_partial boolean[], is_stub boolean[])
    RETURNS TABLE (source integer, target integer)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH size AS (
        SELECT cardinality(sorted) AS total
    ), node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, is_partial[u.place] AS is_partial, is_stub[u.place] AS is_stub,
               cycle_of[u.place] AS its_cycle,
               CASE WHEN cycle_of[u.place] <> 0 THEN u.identity END AS identity,
               CASE WHEN cycle_of[u.place] <> 0 THEN u.definition END AS definition
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
    ), edge AS MATERIALIZED (
        SELECT s.place AS source, s.is_stub, t.type AS target_type,
               CASE WHEN e.waits AND s.is_partial THEN s.place + size.total ELSE s.place END AS from_form,
               CASE WHEN t.its_cycle = 0 THEN t.place
                    WHEN s.its_cycle <> t.its_cycle THEN t.its_cycle + 3 * size.total
                    WHEN t.is_stub AND NOT e.waits
                     AND pggit_daemon.stub_rank(s.type, s.definition, t.type, t.identity, t.definition) IS NOT NULL
                    THEN t.place + 2 * size.total
                    ELSE t.place END AS to_form
          FROM unnest(sources, targets, waits, soft) e (s, t, waits, soft)
          JOIN node s ON s.place = e.s JOIN node t ON t.place = e.t CROSS JOIN size
         WHERE NOT (e.soft AND s.its_cycle = t.its_cycle AND ignores_soft[e.s])
    )
    SELECT e.from_form, e.to_form FROM edge e
     UNION ALL
    SELECT e.source + 2 * size.total, e.to_form FROM edge e CROSS JOIN size
     WHERE e.is_stub AND e.target_type IN ('schema', 'access method', 'extension')
     UNION ALL
    SELECT n.place + size.total, n.place FROM node n CROSS JOIN size WHERE n.is_partial
     UNION ALL
    SELECT n.place, n.place + 2 * size.total FROM node n CROSS JOIN size WHERE n.is_stub
     UNION ALL
    -- A default that names a table's row type comes behind the CHECKs of the domains in it, see `checks_first`.
    SELECT t.place + size.total, d.place + size.total
      FROM node t JOIN node d ON d.its_cycle = t.its_cycle CROSS JOIN size
     WHERE t.is_partial AND t.type IN ('table', 'foreign table') AND d.is_partial AND d.type = 'domain'
     UNION ALL
    SELECT n.its_cycle + 3 * size.total, CASE WHEN n.is_partial THEN n.place + size.total ELSE n.place END
      FROM node n CROSS JOIN size WHERE n.its_cycle <> 0
$$;

-- Tables to be created partially for the sake of a domain alone: one of their defaults names the row type of a table in the
-- domain's cycle, and has to come behind the domain's CHECKs (see `checks_first`).
CREATE OR REPLACE FUNCTION pggit_daemon.late_defaults(
    sorted pggit_daemon.description[], cycle_of integer[], is_partial boolean[]) RETURNS integer[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.identity, u.definition, cycle_of[u.place] AS its_cycle, is_partial[u.place] AS is_partial
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
         WHERE cycle_of[u.place] IN (SELECT cycle_of[i] FROM generate_series(1, cardinality(sorted)) i
                                      WHERE cycle_of[i] <> 0 AND is_partial[i] AND (sorted[i]).type = 'domain')
           AND u.type IN ('table', 'foreign table')
    )
    SELECT ARRAY(
        SELECT t.place
          FROM node t CROSS JOIN LATERAL pggit_daemon.partial_forms(t.type, t.identity, t.definition, NULL) f
         WHERE NOT t.is_partial
           AND EXISTS (SELECT FROM node o WHERE o.its_cycle = t.its_cycle AND strpos(f.rest, '::' || o.identity) > 0))
$$;

-- The descriptions in the order in which they restore. `sorted` must be in the order of kinds already. placed: places in
-- `sorted`; forms: beside each what of the object comes there, see `script_item`; stuck: the objects of each cycle that
-- nothing breaks.
CREATE OR REPLACE FUNCTION pggit_daemon.restore_order(
    sorted pggit_daemon.description[], OUT placed integer[], OUT forms text[], OUT stuck text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total     integer := coalesce(cardinality(sorted), 0);
    roots     integer[] := ARRAY(SELECT generate_series(1, total));
    is_partial   boolean[] := array_fill(false, ARRAY[total]);
    is_stub boolean[] := is_partial;
    edges     record;
    broken   record;
    ordered    record;
    place     integer;
BEGIN
    placed := '{}';
    forms := '{}';
    stuck := '{}';
    IF total = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(n.source ORDER BY n.source, n.target) AS sources, array_agg(n.target ORDER BY n.source, n.target) AS targets,
           array_agg(n.waits ORDER BY n.source, n.target) AS waits, array_agg(n.soft ORDER BY n.source, n.target) AS soft
      INTO edges FROM pggit_daemon.needs(sorted) n;
    SELECT * INTO ordered FROM pggit_daemon.topological_order(total, roots, edges.sources, edges.targets);
    IF NOT ordered.has_cycle THEN
        placed := ordered.placed;
        forms := array_fill('whole'::text, ARRAY[total]);
        RETURN;
    END IF;

    SELECT * INTO broken FROM pggit_daemon.break_cycles(sorted, edges.sources, edges.targets, edges.waits, edges.soft);
    stuck := broken.stuck;
    FOREACH place IN ARRAY broken.partial LOOP
        is_partial[place] := true;
    END LOOP;
    FOREACH place IN ARRAY broken.stub LOOP
        is_stub[place] := true;
    END LOOP;
    FOREACH place IN ARRAY pggit_daemon.late_defaults(sorted, broken.cycle_of, is_partial) LOOP
        is_partial[place] := true;
    END LOOP;
    roots := ARRAY(SELECT CASE WHEN is_partial[i] THEN i + total ELSE i END FROM generate_series(1, total) i);
    SELECT array_agg(n.source ORDER BY n.source, n.target) AS sources, array_agg(n.target ORDER BY n.source, n.target) AS targets
      INTO edges
      FROM pggit_daemon.needs_of_forms(sorted, edges.sources, edges.targets, edges.waits, edges.soft,
                                       broken.cycle_of, broken.ignores_soft, is_partial, is_stub) n;
    SELECT array_agg(n.place ORDER BY w.place),
           array_agg(CASE n.form WHEN 1 THEN 'rest' WHEN 2 THEN 'stub'
                                 ELSE CASE WHEN is_partial[n.place] AND is_stub[n.place] THEN 'first completion'
                                           WHEN is_partial[n.place] THEN 'first'
                                           WHEN is_stub[n.place] THEN 'completion' ELSE 'whole' END END ORDER BY w.place)
      INTO placed, forms
      FROM unnest((pggit_daemon.topological_order(total * 4, roots, edges.sources, edges.targets)).placed) WITH ORDINALITY w (node, place)
      CROSS JOIN LATERAL (SELECT (w.node - 1) / total AS form, (w.node - 1) % total + 1 AS place) n
     WHERE n.form < 3;
END $$;
