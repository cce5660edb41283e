-- What the daemon writes: commits and the objects that they change. One function is one operation of a plan
-- (90_store.sql); its parameters are one JSON object, in which lists of the same length are the columns of a table.
--
-- Most of these tables hold the whole history, and the planner may know nothing of that: statistics come late, and a plan
-- is kept. So rows are found one by one through an index, whatever it thinks: by arrays and by LATERAL or EXISTS with
-- OFFSET 0, which make no join that could be turned round; and the daemon's connection makes no sequential scans
-- (`STORING` in db/connections.py). tests/integration/test_store_plans.py counts the rows.
-- plpgsql keeps the plan of each statement for the session; LANGUAGE sql would plan it at every call.
--
-- A commit runs a dozen of these functions, and each statement of theirs costs tens of microseconds: so only `store` pins
-- the search_path, for all that it calls, and what has nothing to do as a rule is asked for before it is done.

-- A commit, with the objects whose versions it ends and begins; returns its id. A statement costs more than a row, so what
-- every commit writes is written by two. A function is called by an assignment, as PERFORM is one more statement; and no
-- volatile function is among the columns, or the server would compute all of them twice.
CREATE OR REPLACE FUNCTION pggit_daemon.insert_commit(
    new_hash text, new_parent text, new_message text, new_author text, new_time timestamptz, new_tree text,
    new_metadata jsonb, new_kind text, new_lsn pg_lsn, new_xid bigint, new_changed integer, new_summary text,
    new_recorded_tree text, new_ended jsonb, new_begun jsonb) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    made integer;
    done text;      -- what void is as text
BEGIN
    WITH branch AS (
        UPDATE pggit.branches AS b SET head_commit_hash = new_hash WHERE b.name = 'main' RETURNING b.id)
    INSERT INTO pggit.commits (
        hash, branch_id, parent_commit_hash, message, author, authored_at, committer, committed_at, tree_hash,
        metadata, kind, source_lsn, source_xid, occurred_at, objects_changed, summary, recorded_tree)
    SELECT new_hash, branch.id, new_parent, new_message, new_author, new_time AT TIME ZONE 'UTC', 'pggit-daemon',
           statement_timestamp() AT TIME ZONE 'UTC', new_tree, new_metadata, new_kind, new_lsn, new_xid, new_time,
           new_changed, new_summary, new_recorded_tree
    FROM branch
    RETURNING id INTO made;
    IF new_ended IS NOT NULL THEN
        done := pggit_daemon.end_versions(new_ended, made);
    END IF;
    IF new_begun IS NOT NULL THEN
        done := pggit_daemon.begin_versions(new_begun, made);
    END IF;
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_insert_commit(p jsonb) RETURNS integer
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN pggit_daemon.insert_commit(
        p ->> 'hash', p ->> 'parent', p ->> 'message', p ->> 'author', (p ->> 'time')::timestamptz, p ->> 'tree_hash',
        p -> 'metadata', p ->> 'kind', (p ->> 'lsn')::pg_lsn, (p ->> 'xid')::bigint, (p ->> 'changed')::integer,
        p ->> 'summary', p ->> 'recorded_tree', p -> 'ended', p -> 'begun');
END $$;

-- The commit that a plan means: the one that `store` found already (`commit_id`), that of this hash, or the newest of the
-- transaction that committed there (`at`).
CREATE OR REPLACE FUNCTION pggit_daemon.stored_commit(p jsonb) RETURNS integer
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    made integer := (p ->> 'commit_id')::integer;
BEGIN
    IF made IS NULL AND p ->> 'hash' IS NOT NULL THEN
        SELECT c.id INTO made FROM pggit.commits AS c WHERE c.hash = p ->> 'hash';
    END IF;
    IF made IS NULL AND p ->> 'at' IS NOT NULL THEN
        SELECT max(newest.id) INTO made FROM (SELECT c.id FROM pggit.commits AS c
                                              WHERE c.source_lsn = (p ->> 'at')::pg_lsn OFFSET 0) AS newest;
    END IF;
    RETURN made;
END $$;

-- The former versions of these objects end with this commit.
CREATE OR REPLACE FUNCTION pggit_daemon.end_versions(keys jsonb, made integer) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit_daemon.object_version AS version
    SET to_commit = made
    WHERE version.id = ANY (ARRAY(
        SELECT current.id
        FROM ROWS FROM (jsonb_array_elements_text(keys -> 'type'), jsonb_array_elements_text(keys -> 'identity'))
             AS old (type, identity)
        CROSS JOIN LATERAL (
            SELECT v.id FROM pggit_daemon.object_version AS v
            WHERE v.to_commit IS NULL AND hashtextextended(v.identity, 0) = hashtextextended(old.identity, 0)
              AND v.type = old.type AND v.identity = old.identity OFFSET 0) AS current));
END $$;

-- New versions, each an array: type, schema, identity, classid, objid, SHA-256 of the definition, the definition, what of it
-- comes later, what must be there before. A definition is there already or is new, none ever changes.
CREATE OR REPLACE FUNCTION pggit_daemon.begin_versions(objects jsonb, made integer) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    WITH new AS MATERIALIZED (SELECT o.value AS o, decode(o.value ->> 5, 'hex') AS blob FROM jsonb_array_elements(objects) AS o),
    defined AS (
        INSERT INTO pggit_daemon.blob (sha256, definition, later, depends)
        SELECT new.blob, new.o ->> 6, new.o ->> 7, ARRAY(SELECT jsonb_array_elements_text(new.o -> 8))
        FROM new
        WHERE new.o ->> 6 IS NOT NULL
        ON CONFLICT (sha256) DO NOTHING)
    INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit)
    SELECT new.o ->> 0, new.o ->> 1, new.o ->> 2, (new.o ->> 3)::oid, (new.o ->> 4)::oid, new.blob, made
    FROM new;
END $$;

-- What a commit of many objects ends and begins beyond its first hundreds.
CREATE OR REPLACE FUNCTION pggit_daemon.store_close_versions(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.end_versions(p, pggit_daemon.stored_commit(p));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_open_versions(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pggit_daemon.begin_versions(p -> 'begun', pggit_daemon.stored_commit(p));
END $$;

-- Objects that were dropped and made again just as they were: a later drop or rename names the new id.
CREATE OR REPLACE FUNCTION pggit_daemon.store_move_versions(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    WITH moved AS MATERIALIZED (
        SELECT current.id, named.classid, named.objid
        FROM ROWS FROM (jsonb_array_elements_text(p -> 'type'), jsonb_array_elements_text(p -> 'identity'),
                        jsonb_array_elements_text(p -> 'classid'), jsonb_array_elements_text(p -> 'objid'))
             AS named (type, identity, classid, objid)
        CROSS JOIN LATERAL (
            SELECT v.id FROM pggit_daemon.object_version AS v
            WHERE v.to_commit IS NULL AND hashtextextended(v.identity, 0) = hashtextextended(named.identity, 0)
              AND v.type = named.type AND v.identity = named.identity OFFSET 0) AS current
    )
    UPDATE pggit_daemon.object_version AS version
    SET classid = moved.classid::oid, objid = moved.objid::oid
    FROM moved
    WHERE version.id = moved.id AND version.id = ANY (ARRAY(SELECT moved.id FROM moved));
END $$;

-- What the WAL says of some names, each an array: type, schema, identity, whether that is not how the object is recorded, and
-- then classid, objid and SHA-256 of the definition, or nulls where the WAL knows no such object.
CREATE OR REPLACE FUNCTION pggit_daemon.store_put_logged(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pggit_daemon.logged_otherwise AS logged WHERE logged.id = ANY (ARRAY(
        SELECT known.id
        FROM jsonb_array_elements(p -> 'names') AS o
        CROSS JOIN LATERAL (
            SELECT l.id FROM pggit_daemon.logged_otherwise AS l
            WHERE hashtextextended(l.identity, 0) = hashtextextended(o.value ->> 2, 0)
              AND l.type = o.value ->> 0 AND l.identity = o.value ->> 2
              AND l.schema_name IS NOT DISTINCT FROM o.value ->> 1 OFFSET 0) AS known));
    INSERT INTO pggit_daemon.logged_otherwise (type, schema_name, identity, classid, objid, blob)
    SELECT o.value ->> 0, o.value ->> 1, o.value ->> 2, (o.value ->> 4)::oid, (o.value ->> 5)::oid, decode(o.value ->> 6, 'hex')
    FROM jsonb_array_elements(p -> 'names') AS o
    WHERE (o.value ->> 3)::boolean;
END $$;
