-- The order and the cycles of a graph of numbered nodes, 1 ... total; `sources[e]` needs `targets[e]`, edges in the order of their sources.

-- Where each node's edges begin, 0 for a node without any.
CREATE OR REPLACE FUNCTION pggit_daemon.first_edges(total integer, sources integer[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_of integer[] := array_fill(0, ARRAY[total]);
BEGIN
    FOR e IN 1 .. coalesce(cardinality(sources), 0) LOOP
        IF first_of[sources[e]] = 0 THEN
            first_of[sources[e]] := e;
        END IF;
    END LOOP;
    RETURN first_of;
END $$;

-- What `roots` need, each node behind the nodes it needs; in a cycle, one edge is ignored, and `has_cycle` says so.
CREATE OR REPLACE FUNCTION pggit_daemon.topological_order(
    total integer, roots integer[], sources integer[], targets integer[], OUT placed integer[], OUT has_cycle boolean)
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next_of integer[] := pggit_daemon.first_edges(total, sources);    -- which edge is to be followed next
    state   smallint[] := array_fill(0::smallint, ARRAY[total]);      -- 0 not seen, 1 on the stack, 2 placed
    stack   integer[] := array_fill(0, ARRAY[total]);
    depth   integer;
    count   integer := 0;
    root    integer;
    node    integer;
    target  integer;
BEGIN
    placed := array_fill(0, ARRAY[total]);
    has_cycle := false;
    FOREACH root IN ARRAY roots LOOP
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
                ELSIF state[target] = 1 THEN
                    has_cycle := true;
                END IF;
            ELSE
                state[node] := 2;
                count := count + 1;
                placed[count] := node;
                depth := depth - 1;
            END IF;
        END LOOP;
    END LOOP;
    placed := placed[1 : count];
END $$;

-- For each node the least node of its cycle (all that need each other, over however many edges), 0 outside of cycles.
-- Tarjan's algorithm, without recursion.
CREATE OR REPLACE FUNCTION pggit_daemon.cycles(total integer, sources integer[], targets integer[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next_of integer[] := pggit_daemon.first_edges(total, sources);
    seen    integer[] := array_fill(0, ARRAY[total]);    -- when a node was met, 0 for not yet
    low     integer[] := array_fill(0, ARRAY[total]);    -- the earliest that it reaches
    cycle_of integer[] := array_fill(0, ARRAY[total]);
    is_open boolean[] := array_fill(false, ARRAY[total]);
    path    integer[] := array_fill(0, ARRAY[total]);    -- from the root to the node in hand
    stack   integer[] := array_fill(0, ARRAY[total]);    -- met, but not known of which cycle
    depth   integer;
    height  integer := 0;
    count   integer := 0;
    node    integer;
    target  integer;
    least   integer;
    bottom  integer;
BEGIN
    FOR root IN 1 .. total LOOP
        CONTINUE WHEN seen[root] <> 0 OR next_of[root] = 0;
        depth := 1;
        path[1] := root;
        WHILE depth > 0 LOOP
            node := path[depth];
            IF seen[node] = 0 THEN
                count := count + 1;
                seen[node] := count;
                low[node] := count;
                height := height + 1;
                stack[height] := node;
                is_open[node] := true;
            END IF;
            IF next_of[node] > 0 AND sources[next_of[node]] = node THEN
                target := targets[next_of[node]];
                IF seen[target] = 0 THEN
                    depth := depth + 1;      -- the edge is looked at again on the way back
                    path[depth] := target;
                ELSE
                    IF is_open[target] THEN
                        low[node] := least(low[node], low[target]);
                    END IF;
                    next_of[node] := next_of[node] + 1;
                END IF;
            ELSE
                depth := depth - 1;
                IF low[node] = seen[node] THEN
                    bottom := height;
                    least := node;
                    WHILE stack[bottom] <> node LOOP
                        least := least(least, stack[bottom]);
                        bottom := bottom - 1;
                    END LOOP;
                    FOR place IN bottom .. height LOOP
                        is_open[stack[place]] := false;
                        IF height > bottom THEN
                            cycle_of[stack[place]] := least;
                        END IF;
                    END LOOP;
                    height := bottom - 1;
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN cycle_of;
END $$;
