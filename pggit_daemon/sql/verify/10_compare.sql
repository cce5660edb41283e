-- The recorded tree held against the catalog, inside the server: only what differs leaves it.

-- One object as it is now (all NULL where there is no such object of ours), or why it could not be read. Nobody waits for
-- this, and it waits for nobody: it is read in a subtransaction whose end returns the locks that functions like
-- pg_get_viewdef take, and where another session holds a lock, reading gives up.
CREATE OR REPLACE FUNCTION pggit_daemon.read_quietly(
    at pggit_daemon.object_address, OUT now pggit_daemon.description, OUT unreadable text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
BEGIN
    now := pggit_daemon.describe(at.classid, at.objid);
    IF at.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass)
       AND (at.classid <> 'pg_class'::regclass OR now.type IN ('view', 'materialized view')) THEN
        RAISE EXCEPTION SQLSTATE 'PGD00';
    END IF;
EXCEPTION
    WHEN SQLSTATE 'PGD00' THEN NULL;
    WHEN OTHERS THEN unreadable := SQLSTATE || ' ' || SQLERRM;
END $$;

-- The address of a definition, as the daemon computes it (commit/tree.py): SHA-256 over all its parts, each with its
-- length before it.
CREATE OR REPLACE FUNCTION pggit_daemon.blob_hash(definition text, later text, depends text[]) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part  bytea := convert_to(definition, 'UTF8');
    whole bytea := int8send(length(part)) || part;
    k     text;
BEGIN
    part := convert_to(coalesce('+' || later, ''), 'UTF8');
    whole := whole || int8send(length(part)) || part;
    FOREACH k IN ARRAY coalesce(depends, '{}') LOOP
        part := convert_to(k, 'UTF8');
        whole := whole || int8send(length(part)) || part;
    END LOOP;
    RETURN sha256(whole);
END $$;

-- Everything that a comparison must look at: what the catalog has, and what is recorded and may be gone.
CREATE OR REPLACE FUNCTION pggit_daemon.addresses_to_compare() RETURNS SETOF pggit_daemon.object_address
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.classid, a.objid FROM pggit_daemon.addresses() AS a
    UNION
    SELECT v.classid, v.objid FROM pggit_daemon.object_version AS v WHERE v.to_commit IS NULL
    ORDER BY 1, 2
$$;

-- Whether a commit that changed this object is recorded but not visible to this snapshot: the daemon reads a commit
-- from the WAL a moment before other sessions see it, and long before where it waits for a synchronous standby.
CREATE OR REPLACE FUNCTION pggit_daemon.is_ahead(of_class oid, of_object oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pggit_daemon.object_version AS v
        JOIN pggit.commits AS c ON c.id IN (v.from_commit, v.to_commit)
        CROSS JOIN (SELECT pg_current_snapshot() AS snapshot) AS now
        WHERE v.objid = of_object AND v.classid = of_class
          AND ((c.source_xid - pg_snapshot_xmax(now.snapshot)::text::bigint) & 4294967295 < 2147483648
               OR c.source_xid IN (SELECT running.xid::text::bigint & 4294967295
                                   FROM pg_snapshot_xip(now.snapshot) AS running (xid))))
$$;

-- Those of these objects that are not as recorded. `version`: the recorded version that was compared, NULL for none;
-- `digest`: what the object's blob is now, NULL where there is no such object of ours; `unreadable`: why it could not
-- be compared. What is found is certain only when it is found again after the daemon has handled all that was committed
-- before.
CREATE OR REPLACE FUNCTION pggit_daemon.differing(wanted pggit_daemon.object_address[])
    RETURNS TABLE (classid oid, objid oid, version bigint, digest bytea, type text, schema_name text, identity text,
                   definition text, later text, depends text[], recorded_type text, recorded_schema text,
                   recorded_identity text, unreadable text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at   pggit_daemon.object_address;
    read record;
    now  pggit_daemon.description;
    was  record;
    why  text;
BEGIN
    FOREACH at IN ARRAY wanted LOOP
        read := pggit_daemon.read_quietly(at);
        now := read.now;
        why := read.unreadable;
        SELECT v.id, v.type, v.schema_name, v.identity, v.blob INTO was
          FROM pggit_daemon.object_version AS v
         WHERE v.objid = at.objid AND v.classid = at.classid AND v.to_commit IS NULL;
        digest := CASE WHEN now.identity IS NOT NULL
                       THEN pggit_daemon.blob_hash(now.definition, now.later, now.depends) END;
        CONTINUE WHEN why IS NULL
                  AND (was.identity, was.type, was.schema_name, was.blob)
                      IS NOT DISTINCT FROM (now.identity, now.type, now.schema_name, digest);
        IF why IS NULL AND pggit_daemon.is_ahead(at.classid, at.objid) THEN
            why := 'its last change is not visible yet';
        END IF;
        RETURN QUERY SELECT at.classid, at.objid, was.id, digest, now.type, now.schema_name, now.identity,
                            now.definition, now.later, now.depends, was.type, was.schema_name, was.identity, why;
    END LOOP;
END $$;

-- Somebody wants the daemon to compare everything. It looks here with each turn of its watch, and when a message
-- ('pggit_daemon.sync', 'verify') says so: to be sent after this is committed, or it comes before this can be seen.
CREATE OR REPLACE FUNCTION pggit_daemon.ask_verification() RETURNS timestamptz
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pggit_daemon.verification SET asked_at = clock_timestamp() RETURNING asked_at
$$;
