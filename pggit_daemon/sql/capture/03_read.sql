-- Reading what a statement left behind, as elements of ddl_event.objects.

CREATE OR REPLACE FUNCTION pggit_daemon.deferred_element(of_class oid, of_object oid, direct boolean, why text)
    RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('op', 'deferred', 'direct', direct,
        'classid', of_class::bigint, 'objid', of_object::bigint, 'why', why)
$$;

-- The same without definitions above 1 MB: such an event would reach the daemon as one message, which may be too large for it.
-- The daemon reads them from the catalog; of what is left to it the event tells the hash: of all that it would have said.
CREATE OR REPLACE FUNCTION pggit_daemon.without_large(objects jsonb) RETURNS jsonb
    LANGUAGE plpgsql AS $$
BEGIN
    IF pg_column_size(objects) > 1048576 IS NOT TRUE THEN
        RETURN objects;
    END IF;
    RETURN (
        SELECT jsonb_agg(CASE WHEN octet_length(o.element ->> 'definition') <= 1048576 IS NOT FALSE THEN o.element
                              ELSE pggit_daemon.deferred_element((o.element ->> 'classid')::oid, (o.element ->> 'objid')::oid,
                                                                 (o.element ->> 'direct')::boolean, 'too_large')
                                   || jsonb_build_object('sha256', encode(sha256(convert_to((o.element - 'direct')::text,
                                                                                            getdatabaseencoding())), 'hex')) END
                         ORDER BY o.place)
          FROM jsonb_array_elements(objects) WITH ORDINALITY AS o (element, place));
END $$;

-- How many objects one statement may have described before the rest is left to the daemon.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_limit() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 500';

-- The element for an object as it is now.
CREATE OR REPLACE FUNCTION pggit_daemon.set_element(d pggit_daemon.description, direct boolean) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('op', 'set', 'direct', direct,
        'classid', d.classid::bigint, 'objid', d.objid::bigint, 'type', d.type, 'schema', d.schema_name,
        'identity', d.identity, 'definition', d.definition, 'later', d.later, 'depends', d.depends,
        'shape', CASE WHEN d.columns IS NOT NULL THEN pggit_daemon.table_shape(d.objid) END)
$$;

-- Elements for objects that are read one by one, so that what cannot be read becomes `deferred` and not an error.
-- The first `named` of them are those that the statement names.
CREATE OR REPLACE FUNCTION pggit_daemon.describe_one_by_one(wanted pggit_daemon.object_address[], named integer)
    RETURNS jsonb[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    elements jsonb[] := '{}';
    item     pggit_daemon.object_address;
    d        pggit_daemon.description;
    why      text;            -- why this object is left to the daemon
    place    integer := 0;
    misses   integer := 0;    -- waits for a lock that were in vain
BEGIN
    FOREACH item IN ARRAY wanted LOOP
        place := place + 1;
        d := NULL;
        why := NULL;
        IF misses >= 5 THEN
            why := 'too many locks held by others';
        ELSE
            BEGIN
                d := pggit_daemon.describe(item.classid, item.objid);
            EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
                IF pggit_daemon.is_cancel_of_the_user(SQLSTATE, SQLERRM) THEN
                    RAISE;
                END IF;
                why := SQLSTATE || ' ' || SQLERRM;
                IF SQLSTATE = '55P03' THEN
                    misses := misses + 1;
                    PERFORM set_config('lock_timeout', '1ms', true);   -- until the trigger's own setting ends
                END IF;
            END;
        END IF;
        IF why IS NOT NULL THEN
            elements := elements || pggit_daemon.deferred_element(item.classid, item.objid, place <= named, why);
        ELSIF d.identity IS NOT NULL THEN
            elements := elements || pggit_daemon.set_element(d, place <= named);
        END IF;
    END LOOP;
    RETURN elements;
END $$;

-- Elements for the objects that a statement names and, after them, for those that hang on them.
-- `one_by_one`: an object that cannot be read becomes `deferred`; otherwise it is an error (but quicker).
CREATE OR REPLACE FUNCTION pggit_daemon.describe_all(
    named pggit_daemon.object_address[], dependents pggit_daemon.object_address[], one_by_one boolean) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most     constant integer := pggit_daemon.describe_limit();
    few      pggit_daemon.object_address[];    -- those that are described now
    crowd    pggit_daemon.object_address[] := '{}';    -- what hangs on the named ones, when that is too much to look at
    elements jsonb[];
BEGIN
    IF cardinality(dependents) > 0 THEN
        dependents := ARRAY(SELECT DISTINCT h FROM unnest(dependents) h WHERE h <> ALL (named));
    END IF;
    IF cardinality(dependents) > 4 * most THEN
        -- Even to find out what each of them is would take the user's time.
        crowd := dependents;
        dependents := '{}';
    ELSIF cardinality(dependents) > 0 THEN
        dependents := ARRAY(
            SELECT DISTINCT n
              FROM unnest(dependents) h, pggit_daemon.canonical_address(h.classid, h.objid, 0) n
             WHERE n.classid IS NOT NULL AND n <> ALL (named) ORDER BY n);
    END IF;
    crowd := named[most + 1:] || dependents[greatest(most - cardinality(named), 0) + 1:] || crowd;
    few := (named || dependents)[:most];

    IF one_by_one THEN
        elements := pggit_daemon.describe_one_by_one(few, cardinality(named));
    ELSE
        elements := ARRAY(
            SELECT pggit_daemon.set_element(d, n.place <= cardinality(named))
              FROM pggit_daemon.describe(few) d,
                   array_position(few, (d.classid, d.objid)::pggit_daemon.object_address) n (place)
             ORDER BY n.place);
    END IF;
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        elements := elements || ARRAY(
            SELECT pggit_daemon.deferred_element(n.classid, n.objid, true, 'not visible to this transaction''s snapshot')
              FROM unnest(few[:cardinality(named)]) n
             WHERE NOT EXISTS (SELECT FROM unnest(elements) e (said)
                                WHERE (e.said ->> 'classid')::oid = n.classid AND (e.said ->> 'objid')::oid = n.objid));
    END IF;
    IF cardinality(crowd) > 0 THEN
        elements := elements || ARRAY(
            SELECT pggit_daemon.deferred_element(c.classid, c.objid, c = ANY (named), 'too many objects in one statement')
              FROM unnest(crowd) c);
    END IF;
    RETURN CASE WHEN cardinality(elements) > 0 THEN to_jsonb(elements) END;
END $$;

-- The elements of a statement at ddl_command_end, or NULL when nothing of ours changed.
CREATE OR REPLACE FUNCTION pggit_daemon.read_ddl(tag text, since bigint, one_by_one boolean) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    named   pggit_daemon.object_address[] := '{}';
    dependents pggit_daemon.object_address[] := '{}';
    granted pggit_daemon.object_address[] := '{}';    -- whose privileges changed
    changed pggit_daemon.object_address[];
    gone    jsonb;
    command record;
    address pggit_daemon.object_address;
    alters  boolean := tag LIKE 'ALTER %';
    kinds   text[] := '{}';    -- of which it is known whose privileges changed
BEGIN
    IF tag = 'DROP OWNED' THEN
        dependents := ARRAY(SELECT a FROM pggit_daemon.changed_privileges(tag, NULL, since) a);
        granted := dependents;
    END IF;
    FOR command IN
        SELECT c.classid, c.objid, c.objsubid, c.command_tag, c.object_type
          FROM pg_event_trigger_ddl_commands() c
         WHERE (NOT c.in_extension OR pggit_daemon.extension_of(c.classid, c.objid) IS NULL)
           AND coalesce(c.schema_name NOT IN ('pggit', 'pggit_daemon', 'pg_temp'), true)
    LOOP
        IF command.classid IS NULL THEN
            -- DROP OWNED brings one of these for each object of which it takes a privilege.
            CONTINUE WHEN concat_ws(' ', command.command_tag, command.object_type) = ANY (kinds);
            kinds := kinds || concat_ws(' ', command.command_tag, command.object_type);
            changed := ARRAY(SELECT a FROM pggit_daemon.changed_privileges(command.command_tag, command.object_type, since) a);
            granted := granted || changed;
            named := named || ARRAY(SELECT DISTINCT n
                FROM unnest(changed) a, pggit_daemon.canonical_address(a.classid, a.objid, 0) n
               WHERE n.classid IS NOT NULL AND n <> ALL (named) ORDER BY n);
            CONTINUE;
        END IF;
        IF command.object_type IN ('table', 'view', 'materialized view', 'function', 'procedure', 'schema') THEN
            address := (command.classid, command.objid);    -- always an object of its own: describe() tells if ours
        ELSIF command.object_type = 'index' THEN
            address := coalesce(
                (SELECT (d.refclassid, d.refobjid)::pggit_daemon.object_address FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = command.objid AND d.deptype = 'i'
                    AND (d.refclassid = 'pg_constraint'::regclass) IS TRUE),
                (command.classid, command.objid)::pggit_daemon.object_address);
        ELSE
            address := pggit_daemon.canonical_address(command.classid, command.objid, command.objsubid);
            -- What is none of ours may still be named by ours: a built-in language, when it is renamed.
            CONTINUE WHEN address.classid IS NULL AND NOT alters;
        END IF;
        IF address.classid IS NOT NULL AND address <> ALL (named) THEN
            named := named || address;
        END IF;
        IF NOT alters AND command.classid = 'pg_class'::regclass AND command.object_type NOT IN ('index', 'sequence') THEN
            gone := coalesce(gone, '[]') || pggit_daemon.filled_shell(command.objid);
        END IF;
        IF alters OR command.classid = 'pg_class'::regclass AND command.object_type <> 'index'
           AND tag NOT IN ('COMMENT', 'SECURITY LABEL')
           OR tag IN ('CREATE INDEX', 'CREATE EXTENSION', 'CREATE FUNCTION', 'CREATE OPERATOR') THEN
            dependents := dependents || ARRAY(SELECT a FROM pggit_daemon.affected(command.classid, command.objid,
                alters AND (command.objsubid <> 0 OR command.classid <> 'pg_class'::regclass
                            OR command.object_type IN ('index', 'sequence')
                            OR pggit_daemon.was_moved(command.objid, since)),
                NOT alters, since) a);
        END IF;
    END LOOP;
    IF tag = 'ALTER EXTENSION' THEN
        dependents := dependents || ARRAY(SELECT a FROM pggit_daemon.given_away() a);
    END IF;
    IF alters THEN
        gone := pggit_daemon.absorbed(tag, named, dependents, since);
    ELSIF cardinality(granted) > 0 THEN
        gone := coalesce(gone, '[]') || coalesce(pggit_daemon.back_to_initial(granted), '[]');
    END IF;
    IF cardinality(named) = 0 AND cardinality(dependents) = 0 AND coalesce(gone = '[]', true) THEN
        RETURN NULL;
    END IF;
    RETURN nullif(coalesce(gone, '[]') || coalesce(pggit_daemon.describe_all(named, dependents, one_by_one), '[]'), '[]');
END $$;

-- A shell type that a new relation of its name took for its row type, as a `drop` element in an array, or an empty one.
-- The server gives a row type of its own an OID after the relation's.
CREATE OR REPLACE FUNCTION pggit_daemon.filled_shell(relation oid) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT jsonb_build_array(pggit_daemon.drop_element('pg_type'::regclass, t.oid, 'type', n.nspname,
                                format('%I.%I', n.nspname, t.typname), false))
                       FROM pg_class c JOIN pg_type t ON t.oid = c.reltype JOIN pg_namespace n ON n.oid = t.typnamespace
                      WHERE c.oid = relation AND c.reltype < c.oid), '[]');
END $$;

-- Objects that live on but are no objects of their own any more: an index that became a constraint's, a constraint of a
-- partition that its parent has too, what became a member of an extension.
CREATE OR REPLACE FUNCTION pggit_daemon.absorbed(
    tag text, named pggit_daemon.object_address[], dependents pggit_daemon.object_address[], since bigint) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    elements jsonb;
    merged   jsonb;
BEGIN
    IF tag = 'ALTER TABLE' AND cardinality(dependents) > 0 THEN
        -- A partition's constraint that was there already is from now on part of the one that its parent has.
        SELECT jsonb_agg(pggit_daemon.drop_element('pg_constraint'::regclass, k.oid, i.type, i.schema, i.identity, false))
          INTO merged
          FROM (SELECT DISTINCT h.objid FROM unnest(dependents) h WHERE h.classid = 'pg_constraint'::regclass) h
          JOIN pg_constraint k ON k.oid = h.objid AND (k.contype = 'f' AND k.conparentid <> 0
                                                       OR k.contype = 'c' AND NOT k.conislocal)
         CROSS JOIN LATERAL pg_identify_object('pg_constraint'::regclass, k.oid, 0) i
         WHERE EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.deptype = 'a'
                          AND NOT (d.cmin::text::bigint > since AND pggit_daemon.is_own_xid(d.xmin)));
        -- The index belongs to the constraint only now, and its columns were written before this statement.
        SELECT jsonb_agg(DISTINCT pggit_daemon.drop_element('pg_class'::regclass, k.conindid, i.type, i.schema,
                                                            i.identity, false))
          INTO elements
          FROM unnest(dependents) h
          JOIN pg_constraint k ON h.classid = 'pg_constraint'::regclass AND k.oid = h.objid
                              AND k.contype IN ('p', 'u') AND k.conindid <> 0
         CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, k.conindid, 0) i
         WHERE EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = k.conindid AND d.deptype = 'i'
                          AND d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
                          AND d.cmin::text::bigint > since AND pggit_daemon.is_own_xid(d.xmin))
           AND NOT EXISTS (SELECT FROM pg_attribute a
                            WHERE a.attrelid = k.conindid AND a.attnum = 1
                              AND a.cmin::text::bigint > since AND pggit_daemon.is_own_xid(a.xmin));
        elements := nullif(coalesce(merged, '[]') || coalesce(elements, '[]'), '[]');
    ELSIF tag = 'ALTER EXTENSION' THEN
        elements := pggit_daemon.taken_in(named, since);
    END IF;
    RETURN elements;
END $$;
