-- The order in which descriptions restore: by kind as pg_dump has it, then schema, then name, and whatever another
-- object depends on is pulled before it. Nothing else moves.

-- The place of a kind in a dump. What is unknown comes with the tables.
CREATE OR REPLACE FUNCTION pggit_daemon.kind_rank(type text) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE type
        WHEN 'schema' THEN 1 WHEN 'language' THEN 2 WHEN 'collation' THEN 3 WHEN 'transform' THEN 4
        WHEN 'extension' THEN 5 WHEN 'type' THEN 6 WHEN 'domain' THEN 6 WHEN 'cast' THEN 7 WHEN 'function' THEN 8
        WHEN 'procedure' THEN 8 WHEN 'aggregate' THEN 9 WHEN 'access method' THEN 10 WHEN 'operator' THEN 11
        WHEN 'operator family' THEN 12 WHEN 'operator class' THEN 12 WHEN 'conversion' THEN 13
        WHEN 'text search parser' THEN 14 WHEN 'text search template' THEN 15 WHEN 'text search dictionary' THEN 16
        WHEN 'text search configuration' THEN 17 WHEN 'foreign-data wrapper' THEN 18 WHEN 'server' THEN 19
        WHEN 'user mapping' THEN 20 WHEN 'table constraint' THEN 22 WHEN 'index' THEN 23
        WHEN 'statistics object' THEN 24 WHEN 'rule' THEN 25 WHEN 'trigger' THEN 26 WHEN 'policy' THEN 27
        WHEN 'publication' THEN 28 WHEN 'subscription' THEN 29 WHEN 'default acl' THEN 30 WHEN 'event trigger' THEN 31
        ELSE 21 END
$$;

-- Which part of the script an object belongs to: 1 as ordered, 2 foreign keys (they want the indexes of partitions
-- attached, which `later` does), 3 event triggers (they would fire on the rest).
CREATE OR REPLACE FUNCTION pggit_daemon.script_part(type text, definition text) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN type = 'event trigger' THEN 3
        WHEN type = 'table constraint'
         AND regexp_replace(definition, '"(""|[^"])*"', 'name', 'g')
             ~ '^ALTER (FOREIGN )?TABLE (ONLY )?\S+ ADD CONSTRAINT \S+ FOREIGN KEY ' THEN 2
        ELSE 1 END
$$;

-- The same descriptions in the order in which they restore. `sorted` must be in the order of kinds already.
-- A loop that is left (views over each other by CREATE OR REPLACE VIEW, a function of the SQL standard's form and a
-- view that calls it) is cut where it is met: such a script does not restore yet.
CREATE OR REPLACE FUNCTION pggit_daemon.restore_order(sorted pggit_daemon.description[]) RETURNS integer[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total    integer := coalesce(cardinality(sorted), 0);
    sources  integer[];      -- the edges, source by source: sources[e] needs targets[e]
    targets  integer[];
    first_of integer[] := array_fill(0, ARRAY[total + 1]);    -- where a source's edges begin
    next_of  integer[];      -- which of them is to be followed next
    state    smallint[] := array_fill(0::smallint, ARRAY[total + 1]);    -- 0 not seen, 1 on the stack, 2 placed
    stack    integer[] := array_fill(0, ARRAY[total + 1]);
    placed   integer[] := array_fill(0, ARRAY[total]);
    depth    integer;
    count    integer := 0;
    node     integer;
    target   integer;
BEGIN
    IF total = 0 THEN
        RETURN '{}';
    END IF;
    WITH node AS MATERIALIZED (
        SELECT u.place::integer AS place, u.type, u.type || ' ' || u.identity AS key, u.depends
          FROM unnest(sorted) WITH ORDINALITY
               u (classid, objid, type, schema_name, identity, definition, later, depends, columns, place)
    ), edge AS MATERIALIZED (
        SELECT s.place AS source, t.place AS target, s.type AS source_type, t.type AS target_type
          FROM node s CROSS JOIN LATERAL unnest(s.depends) k (key) JOIN node t ON t.key = k.key
         WHERE s.place <> t.place
    )
    -- A function that its type needs in turn can do with the type's shell, which stands before everything.
    SELECT array_agg(e.source ORDER BY e.source, e.target), array_agg(e.target ORDER BY e.source, e.target)
      INTO sources, targets
      FROM edge e
     WHERE NOT (e.target_type = 'type' AND e.source_type = 'function'
                AND EXISTS (SELECT FROM edge back WHERE back.source = e.target AND back.target = e.source));

    FOR e IN 1 .. coalesce(cardinality(sources), 0) LOOP
        IF first_of[sources[e]] = 0 THEN
            first_of[sources[e]] := e;
        END IF;
    END LOOP;
    next_of := first_of;

    FOR root IN 1 .. total LOOP
        CONTINUE WHEN state[root] <> 0;
        depth := 1;
        stack[1] := root;
        state[root] := 1;
        WHILE depth > 0 LOOP
            node := stack[depth];
            IF next_of[node] > 0 AND sources[next_of[node]] = node THEN
                target := targets[next_of[node]];
                next_of[node] := next_of[node] + 1;
                IF state[target] = 0 THEN
                    depth := depth + 1;
                    stack[depth] := target;
                    state[target] := 1;
                END IF;
            ELSE
                state[node] := 2;
                count := count + 1;
                placed[count] := node;
                depth := depth - 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN placed;
END $$;
