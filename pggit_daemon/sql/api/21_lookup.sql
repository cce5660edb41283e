-- From what a caller says to the migration or commit that is meant; clear errors where that is none, or several.

-- The migrations of that id: of all tools that have it, or of one. `tool` is a tool's name, or a source where one tool has
-- several history tables.
CREATE OR REPLACE FUNCTION pggit_daemon.find_migrations(number bigint, tool text) RETURNS SETOF pggit.external_migrations
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    others text;
BEGIN
    IF number IS NULL THEN
        RAISE EXCEPTION 'migration_id must not be null' USING ERRCODE = '22004',
            HINT = 'SELECT migration_id, tool_name FROM pggit.migration_history lists them.';
    END IF;
    IF tool !~ '\S' THEN
        RAISE EXCEPTION 'tool_name must not be empty' USING ERRCODE = '22023',
            HINT = 'Leave it out, or pass the name of a tool, as ''flyway''.';
    END IF;
    RETURN QUERY SELECT m.* FROM pggit.external_migrations AS m
                 WHERE m.migration_id = number AND (tool IS NULL OR tool IN (m.tool_name, m.source))
                 ORDER BY m.tool_name, m.source;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT string_agg(format('%s (%s)', m.tool_name, m.source), ', ' ORDER BY m.tool_name, m.source) INTO others
      FROM pggit.external_migrations AS m WHERE m.migration_id = number;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'migration % is not recorded for %, only for %', number, left(tool, 200), others
            USING ERRCODE = '42704', HINT = 'Pass one of these as tool_name, or leave it out.';
    END IF;
    RAISE EXCEPTION 'migration % is not recorded', number USING ERRCODE = '42704',
        HINT = 'SELECT migration_id, tool_name FROM pggit.migration_history lists what is; SELECT pggit.wait_for_sync() waits for what was just applied.';
END $$;

-- Why the schema at a migration's commit is not what it made; NULL where it is.
CREATE OR REPLACE FUNCTION pggit_daemon.not_its_own(m pggit.external_migrations) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN c.kind = 'baseline'
        THEN format('migration %s of %s was there before the history began: its schema is that of the baseline, commit %s, '
                    'and what it changed is not recorded', m.migration_id, m.tool_name, c.id)
        WHEN m.evidence = 'none'
        THEN format('migration %s of %s changed no schema: commit %s is the one that it saw', m.migration_id, m.tool_name, c.id)
        END
    FROM pggit.commits AS c WHERE c.id = m.pggit_commit_id
$$;

-- The commits that a migration made, as it was applied last: its parts, where it was committed one by one, and the last.
-- `objects`: what of the commit is the migration's, as 'type identity', where one transaction ran several; NULL: all.
-- A baseline's commit does not show what the migrations before it did, and what ran no DDL made none.
CREATE OR REPLACE FUNCTION pggit_daemon.made_by(m pggit.external_migrations)
    RETURNS TABLE (commit_id integer, objects text[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH own AS MATERIALIZED (
        SELECT l.commit_id, l.part, l.made, l.objects
        FROM pggit_daemon.link AS l
        WHERE l.tool_name = m.tool_name AND l.source = m.source AND l.migration_id = m.migration_id
    ), earlier AS (
        SELECT max(own.commit_id) AS id FROM own
        WHERE NOT own.part AND (m.pggit_commit_id IS NULL OR own.commit_id < m.pggit_commit_id)
    )
    SELECT c.id, own.objects
    FROM (
        SELECT own.commit_id AS id FROM own, earlier
        WHERE own.part AND own.commit_id > coalesce(earlier.id, 0)
          AND (m.pggit_commit_id IS NULL OR own.commit_id < m.pggit_commit_id)
        UNION
        SELECT m.pggit_commit_id WHERE m.pggit_commit_id IS NOT NULL
    ) AS linked
    JOIN pggit.commits AS c ON c.id = linked.id
    LEFT JOIN own ON own.commit_id = c.id
    WHERE c.kind IS DISTINCT FROM 'baseline' AND m.evidence IS DISTINCT FROM 'none' AND coalesce(own.made, true)
    ORDER BY c.id
$$;

-- What a commit changed: the versions that it ended (old) and those that it began. Of these only the objects that `own`
-- names ('type identity', before or after), unless it is NULL.
CREATE OR REPLACE FUNCTION pggit_daemon.versions_in(of_commit integer, own text[]) RETURNS TABLE (old boolean, version bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH touched AS MATERIALIZED (
        SELECT true AS old, v.id, v.classid, v.objid, v.type || ' ' || v.identity AS name
        FROM pggit_daemon.object_version AS v WHERE v.to_commit = of_commit
        UNION ALL
        SELECT false, v.id, v.classid, v.objid, v.type || ' ' || v.identity
        FROM pggit_daemon.object_version AS v WHERE v.from_commit = of_commit
    )
    SELECT t.old, t.id
    FROM touched AS t
    WHERE own IS NULL
       OR (t.classid, t.objid) IN (SELECT named.classid, named.objid FROM touched AS named
                                   WHERE named.name IN (SELECT unnest(own)))
$$;

-- What a migration changed, all its commits together: each object's version before the first and after the last. What was
-- made and unmade within the migration is nothing; what others changed in between stays theirs.
CREATE OR REPLACE FUNCTION pggit_daemon.versions_of(m pggit.external_migrations)
    RETURNS TABLE (old boolean, version bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH touched AS MATERIALIZED (
        SELECT bool_and(t.old) AS old, t.version
        FROM pggit_daemon.made_by(m) AS made
        CROSS JOIN LATERAL pggit_daemon.versions_in(made.commit_id, made.objects) AS t
        GROUP BY t.version
        HAVING count(*) = 1
    )
    (SELECT DISTINCT ON (v.classid, v.objid) true, v.id
     FROM touched AS t JOIN pggit_daemon.object_version AS v ON v.id = t.version
     WHERE t.old
     ORDER BY v.classid, v.objid, v.to_commit)
    UNION ALL
    (SELECT DISTINCT ON (v.classid, v.objid) false, v.id
     FROM touched AS t JOIN pggit_daemon.object_version AS v ON v.id = t.version
     WHERE NOT t.old
     ORDER BY v.classid, v.objid, v.from_commit DESC)
$$;

-- The commit that a text names: head, a commit's id (also as @id), or 7 or more digits of its hash.
CREATE OR REPLACE FUNCTION pggit_daemon.find_commit(said text) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    word  text := lower(btrim(said) COLLATE "C");
    found integer[];
BEGIN
    IF said IS NULL THEN
        RAISE EXCEPTION 'the commit must not be null' USING ERRCODE = '22004',
            HINT = 'Pass head, a commit''s id, or digits of its hash.';
    END IF;
    IF word = 'head' THEN
        found := ARRAY(SELECT max(c.id) FROM pggit.commits AS c WHERE c.kind IS NOT NULL HAVING max(c.id) IS NOT NULL);
    ELSIF word ~ '^@?[0-9]{1,10}$' AND ltrim(word, '@')::bigint < 2147483648 THEN
        found := ARRAY(SELECT c.id FROM pggit.commits AS c WHERE c.id = ltrim(word, '@')::bigint);
    END IF;
    IF coalesce(cardinality(found), 0) = 0 AND word ~ '^[0-9a-f]{7,128}$' THEN
        found := ARRAY(SELECT c.id FROM pggit.commits AS c WHERE starts_with(c.hash, word) LIMIT 2);
    END IF;
    IF cardinality(found) = 1 THEN
        RETURN found[1];
    ELSIF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'several commits begin with %', word USING ERRCODE = '42725', HINT = 'Pass more digits.';
    END IF;
    RAISE EXCEPTION 'no commit is recorded under "%"', left(said, 200) USING ERRCODE = '42704',
        HINT = 'Pass head, a commit''s id, or 7 or more digits of its hash: SELECT id, hash, message FROM pggit.commits.';
END $$;

-- What became of the objects of `old_versions` by `new_versions`, object by object. What is the same is left out.
CREATE OR REPLACE FUNCTION pggit_daemon.paired(old_versions bigint[], new_versions bigint[])
    RETURNS TABLE (type text, schema_name text, identity text, old_identity text, operation text,
                   old_definition text, new_definition text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH old AS MATERIALIZED (
        SELECT v.* FROM pggit_daemon.object_version AS v WHERE v.id = ANY (old_versions)
    ), new AS MATERIALIZED (
        SELECT v.* FROM pggit_daemon.object_version AS v WHERE v.id = ANY (new_versions)
    ), ended AS (
        SELECT old.*, CASE WHEN new.id IS NULL THEN old.type || ' ' || old.identity
                           ELSE old.classid || ':' || old.objid END AS pair
        FROM old LEFT JOIN new ON new.objid = old.objid AND new.classid = old.classid
    ), begun AS (
        SELECT new.*, CASE WHEN old.id IS NULL THEN new.type || ' ' || new.identity
                           ELSE new.classid || ':' || new.objid END AS pair
        FROM new LEFT JOIN old ON old.objid = new.objid AND old.classid = new.classid
    )
    SELECT coalesce(begun.type, ended.type), coalesce(begun.schema_name, ended.schema_name),
           coalesce(begun.identity, ended.identity),
           CASE WHEN begun.identity <> ended.identity THEN ended.identity END,
           CASE WHEN ended.id IS NULL THEN 'CREATE' WHEN begun.id IS NULL THEN 'DROP'
                WHEN ended.identity <> begun.identity THEN 'RENAME' ELSE 'ALTER' END,
           was.definition || coalesce(was.later, ''), now.definition || coalesce(now.later, '')
    FROM ended FULL JOIN begun USING (pair)
    LEFT JOIN pggit_daemon.blob AS was ON was.sha256 = ended.blob
    LEFT JOIN pggit_daemon.blob AS now ON now.sha256 = begun.blob
    WHERE (ended.identity, ended.blob) IS DISTINCT FROM (begun.identity, begun.blob)
$$;

-- What a migration changed, object by object, and how grave that is.
CREATE OR REPLACE FUNCTION pggit_daemon.changes_of(m pggit.external_migrations)
    RETURNS TABLE (type text, schema_name text, identity text, old_identity text, operation text,
                   old_definition text, new_definition text, level text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH net AS MATERIALIZED (
        SELECT v.old, v.version FROM pggit_daemon.versions_of(m) AS v
    )
    SELECT p.type, p.schema_name, p.identity, p.old_identity, p.operation, p.old_definition, p.new_definition,
           pggit_daemon.impact_level(p.type, p.operation, p.old_definition, p.new_definition,
               EXISTS (SELECT FROM pggit_daemon.made_by(m) AS made JOIN pggit.commits AS c ON c.id = made.commit_id
                       WHERE c.metadata -> 'rewrites' ?| ARRAY[p.identity, p.old_identity]))
    FROM pggit_daemon.paired(ARRAY(SELECT net.version FROM net WHERE net.old),
                             ARRAY(SELECT net.version FROM net WHERE NOT net.old)) AS p
$$;
