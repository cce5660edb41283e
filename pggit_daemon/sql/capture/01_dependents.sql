-- What changes together with an object that a statement names.

-- All children of a relation, at any depth.
CREATE OR REPLACE FUNCTION pggit_daemon.descendants(relation oid) RETURNS oid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    family oid[] := '{}';
    level  oid[] := ARRAY[relation];
BEGIN
    LOOP
        level := ARRAY(SELECT DISTINCT i.inhrelid FROM pg_inherits i
                        WHERE i.inhparent = ANY (level) AND i.inhrelid <> ALL (family));
        EXIT WHEN cardinality(level) = 0;
        family := family || level;
    END LOOP;
    RETURN family;
END $$;

-- What hangs on a relation and was written since command `since` of this transaction: constraints, indexes, triggers,
-- rules, policies, statistics, owned sequences; every child at any depth that was written or attached, and what hangs
-- on a child, which may have been written without it.
CREATE OR REPLACE FUNCTION pggit_daemon.changed_parts(relation oid, since bigint)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c      record;
    family oid[] := ARRAY[relation];
    oldest integer := age(pg_current_xact_id_if_assigned()::xid);
BEGIN
    SELECT r.relhassubclass, r.relhasindex, r.relhastriggers, r.relhasrules INTO c
      FROM pg_class r WHERE r.oid = relation;
    IF c.relhassubclass THEN
        family := family || pggit_daemon.descendants(relation);
        RETURN QUERY
            SELECT 'pg_class'::regclass::oid, child.oid FROM pg_class child
             WHERE child.oid = ANY (family) AND child.oid <> relation
               AND (age(child.xmin) <= oldest AND child.cmin::text::bigint > since
                        AND pggit_daemon.is_own_xid(child.xmin)
                    OR EXISTS (SELECT FROM pg_attribute a
                                WHERE a.attrelid = child.oid AND age(a.xmin) <= oldest
                                  AND a.cmin::text::bigint > since AND pggit_daemon.is_own_xid(a.xmin))
                    OR EXISTS (SELECT FROM pg_inherits i
                                WHERE i.inhrelid = child.oid AND age(i.xmin) <= oldest
                                  AND i.cmin::text::bigint > since AND pggit_daemon.is_own_xid(i.xmin)));
    END IF;
    IF c.relhasindex OR c.relhassubclass THEN
        RETURN QUERY
            SELECT 'pg_class'::regclass::oid, i.indexrelid FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = ANY (family)
               AND (age(i.xmin) <= oldest AND i.cmin::text::bigint > since AND pggit_daemon.is_own_xid(i.xmin)
                    OR age(x.xmin) <= oldest AND x.cmin::text::bigint > since AND pggit_daemon.is_own_xid(x.xmin));
    END IF;
    IF c.relhastriggers OR c.relhassubclass THEN
        RETURN QUERY
            SELECT 'pg_trigger'::regclass::oid, t.oid FROM pg_trigger t
             WHERE t.tgrelid = ANY (family) AND NOT t.tgisinternal
               AND age(t.xmin) <= oldest AND t.cmin::text::bigint > since AND pggit_daemon.is_own_xid(t.xmin);
    END IF;
    IF c.relhasrules OR c.relhassubclass THEN
        RETURN QUERY
            SELECT 'pg_rewrite'::regclass::oid, r.oid FROM pg_rewrite r
             WHERE r.ev_class = ANY (family)
               AND age(r.xmin) <= oldest AND r.cmin::text::bigint > since AND pggit_daemon.is_own_xid(r.xmin);
    END IF;
    RETURN QUERY
        SELECT 'pg_constraint'::regclass::oid, k.oid FROM pg_constraint k
         WHERE k.conrelid = ANY (family)
           AND age(k.xmin) <= oldest AND k.cmin::text::bigint > since AND pggit_daemon.is_own_xid(k.xmin)
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s
         WHERE s.stxrelid = ANY (family)
           AND age(s.xmin) <= oldest AND s.cmin::text::bigint > since AND pggit_daemon.is_own_xid(s.xmin)
        UNION ALL
        SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p
         WHERE p.polrelid = ANY (family)
           AND age(p.xmin) <= oldest AND p.cmin::text::bigint > since AND pggit_daemon.is_own_xid(p.xmin)
        UNION ALL
        SELECT d.classid, d.objid FROM pg_depend d JOIN pg_class x ON x.oid = d.objid
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (family)
           AND d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND x.relkind = 'S'
           AND age(x.xmin) <= oldest AND x.cmin::text::bigint > since AND pggit_daemon.is_own_xid(x.xmin);
    RETURN QUERY SELECT v.* FROM unnest(family) f (relation),
                                 LATERAL pggit_daemon.listing_columns(f.relation, since) v;
END $$;

-- Queries in views, rules, functions and policies that list all columns of a relation, also those they do not use: the
-- server writes such a list for an alias with column names and for JOIN ... USING, and a column that was added or dropped
-- since then appears in it.
CREATE OR REPLACE FUNCTION pggit_daemon.listing_columns(relation oid, since bigint)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT x.classid, x.objid
          FROM (SELECT DISTINCT d.classid, d.objid FROM pg_depend d    -- once for each, not for each column it uses
                 WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
                   AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_policy'::regclass)) x
         WHERE EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = relation AND a.attnum > 0
                          AND a.cmin::text::bigint > since AND pggit_daemon.is_own_xid(a.xmin))
           AND CASE x.classid
               WHEN 'pg_rewrite'::regclass
                   THEN (SELECT r.ev_action::text || r.ev_qual::text FROM pg_rewrite r WHERE r.oid = x.objid)
               WHEN 'pg_proc'::regclass THEN (SELECT p.prosqlbody::text FROM pg_proc p WHERE p.oid = x.objid)
               ELSE (SELECT concat(p.polqual, p.polwithcheck) FROM pg_policy p WHERE p.oid = x.objid)
               END ~ ':alias \{ALIAS :aliasname (\\.|\S)+ :colnames \(|:joinmergedcols [1-9]';
END $$;

-- Tables that were written since then, wherever they hang: what DETACH PARTITION names is only the parent.
CREATE OR REPLACE FUNCTION pggit_daemon.changed_relations(kinds "char"[], since bigint)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    oldest integer := age(pg_current_xact_id_if_assigned()::xid);
BEGIN
    RETURN QUERY SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c
         WHERE age(c.xmin) <= oldest AND c.relkind = ANY (kinds)
           AND c.cmin::text::bigint > since AND pggit_daemon.is_own_xid(c.xmin);
END $$;

-- Whether a relation got another name or schema since then: its row type is written again, which nothing else
-- does but a change of the owner, and that one also writes to pg_shdepend. In doubt true.
CREATE OR REPLACE FUNCTION pggit_daemon.was_moved(relation oid, since bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c JOIN pg_type t ON t.oid = c.reltype
                    WHERE c.oid = relation
                      AND t.cmin::text::bigint > since AND pggit_daemon.is_own_xid(t.xmin)) THEN
        RETURN false;
    END IF;
    RETURN NOT EXISTS (SELECT FROM pg_shdepend s
                        WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND s.classid = 'pg_class'::regclass AND s.objid = relation AND s.deptype = 'o'
                          AND s.cmin::text::bigint > since AND pggit_daemon.is_own_xid(s.xmin));
END $$;

-- Everything whose text or key can name an object that got another name, schema or column name.
-- `moved` is what moves with it: its parts, and what has it in its own identity (a function by its arguments);
-- then follows whatever depends on one of those. What merely depends does not move itself, so it ends there.
CREATE OR REPLACE FUNCTION pggit_daemon.dependents_by_name(of_class oid, of_object oid)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        WITH RECURSIVE moved (classid, objid) AS (
            (SELECT of_class, of_object
             UNION ALL    -- the attributes of a composite type hang on its type, not the other way round
             SELECT 'pg_type'::regclass::oid, c.reltype FROM pg_class c
              WHERE of_class = 'pg_class'::regclass AND c.oid = of_object AND c.relkind = 'c')
            UNION
            SELECT d.classid, d.objid
              FROM moved m
              JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
              LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
             WHERE d.deptype IN ('i', 'a') AND coalesce(c.relkind IN ('i', 'I', 'S', 'c', 't'), true)
                OR d.deptype = 'n' AND (d.refclassid = 'pg_namespace'::regclass
                                        OR d.classid IN ('pg_proc'::regclass, 'pg_operator'::regclass,
                                                         'pg_cast'::regclass, 'pg_opclass'::regclass,
                                                         'pg_opfamily'::regclass, 'pg_transform'::regclass))
                OR d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
                OR d.refclassid = 'pg_type'::regclass AND c.reloftype = d.refobjid    -- CASCADE renames its columns
        )
        SELECT DISTINCT x.classid, x.objid FROM (
            SELECT m.classid, m.objid FROM moved m
            UNION ALL
            SELECT d.classid, d.objid
              FROM moved m JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
        ) x;
END $$;

-- The tables made OF a composite type: ALTER TYPE ... CASCADE changes their columns with its attributes.
CREATE OR REPLACE FUNCTION pggit_daemon.typed_tables(composite oid) RETURNS SETOF oid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT c.oid FROM pg_class t
          JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.reltype
                          AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
          JOIN pg_class c ON c.oid = d.objid AND c.reloftype = t.reltype
         WHERE t.oid = composite;
END $$;

-- What a statement changed besides the object it names: written with it, or naming it. `renamed`: the object,
-- or a column of it, got another name. `is_new`: the statement created it.
CREATE OR REPLACE FUNCTION pggit_daemon.affected(
    of_class oid, of_object oid, renamed boolean, is_new boolean, since bigint)
    RETURNS SETOF pggit_daemon.object_address
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation record;
    part     pggit_daemon.object_address;
    typed    oid;
BEGIN
    IF of_class = 'pg_class'::regclass THEN
        SELECT c.relkind, c.relhassubclass, c.relispartition, c.relhastriggers, c.relchecks INTO relation
          FROM pg_class c WHERE c.oid = of_object;
        -- The server names the indexes of a new table itself, unless it copied them from a parent.
        IF relation.relhassubclass
           OR relation.relkind IN ('r', 'p', 'f', 'v', 'm')
              AND (NOT is_new OR relation.relispartition OR relation.relhastriggers OR relation.relchecks > 0)
        THEN
            FOR part IN SELECT * FROM pggit_daemon.changed_parts(of_object, since) LOOP
                RETURN NEXT part;
                IF renamed AND part.classid = of_class THEN
                    RETURN QUERY SELECT * FROM pggit_daemon.dependents_by_name(part.classid, part.objid);
                END IF;
            END LOOP;
        ELSIF relation.relkind = 'v' THEN
            -- It may have been there: CREATE OR REPLACE adds columns.
            RETURN QUERY SELECT * FROM pggit_daemon.listing_columns(of_object, since);
        END IF;
        IF relation.relkind = 'p' AND NOT is_new THEN
            FOR part IN SELECT * FROM pggit_daemon.changed_relations('{r,p,f}', since) LOOP
                RETURN NEXT part;
                RETURN QUERY SELECT * FROM pggit_daemon.changed_parts(part.objid, since);
                -- A trigger says which of its copies on partitions differ from it.
                RETURN QUERY SELECT 'pg_trigger'::regclass::oid, t.oid FROM pg_trigger t
                     WHERE t.tgrelid = of_object AND NOT t.tgisinternal AND part.objid <> of_object;
                -- DETACH ... CONCURRENTLY gives the partition a constraint, in a transaction before this one.
                RETURN QUERY
                    SELECT 'pg_constraint'::regclass::oid, k.oid
                      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                     WHERE k.conrelid = part.objid AND NOT c.relispartition;
            END LOOP;
        END IF;
        IF relation.relkind = 'c' THEN
            FOR typed IN SELECT * FROM pggit_daemon.typed_tables(of_object) LOOP
                RETURN NEXT (of_class, typed)::pggit_daemon.object_address;
                RETURN QUERY SELECT * FROM pggit_daemon.changed_parts(typed, since);
                IF renamed THEN
                    RETURN QUERY SELECT * FROM pggit_daemon.dependents_by_name(of_class, typed);
                END IF;
            END LOOP;
        END IF;
    END IF;
    IF of_class = 'pg_operator'::regclass AND is_new THEN
        -- One that was there and is named as commutator or negator names the new one from now on.
        RETURN QUERY SELECT of_class, o.oid FROM pg_operator o
             WHERE o.oid >= 16384 AND o.cmin::text::bigint > since AND pggit_daemon.is_own_xid(o.xmin);
    END IF;
    IF of_class = 'pg_extension'::regclass AND is_new THEN
        -- What CREATE EXTENSION ... CASCADE brought along; events of what their scripts drop come between.
        RETURN QUERY SELECT of_class, e.oid FROM pg_extension e WHERE pggit_daemon.is_own_xid(e.xmin);
    END IF;
    IF of_class = 'pg_proc'::regclass AND is_new THEN
        -- The shell of a type that the function returns and nobody made.
        RETURN QUERY SELECT 'pg_type'::regclass::oid, t.oid FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
                      WHERE p.oid = of_object AND NOT t.typisdefined
                        AND t.cmin::text::bigint > since AND pggit_daemon.is_own_xid(t.xmin);
    END IF;
    IF renamed THEN
        IF of_class = 'pg_constraint'::regclass THEN
            -- The children's constraints of that name are renamed with it.
            RETURN QUERY SELECT p.* FROM pg_constraint k, LATERAL pggit_daemon.changed_parts(k.conrelid, since) p
                 WHERE k.oid = of_object AND k.conrelid <> 0;
        END IF;
        RETURN QUERY SELECT * FROM pggit_daemon.dependents_by_name(of_class, of_object);
    END IF;
END $$;
