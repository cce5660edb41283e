-- The recorded tree compared with the catalog, inside the server: only what differs leaves it.

-- Objects as they are now, some hundreds at once; no row for what does not exist or is none of ours. Nobody waits for this,
-- and it waits for nobody: they are read in a subtransaction whose end returns the locks that functions like
-- pg_get_viewdef take, and what another session has locked is given up: `unreadable` says why.
CREATE OR REPLACE FUNCTION pggit_daemon.read_quietly(wanted pggit_daemon.object_address[])
    RETURNS TABLE (classid oid, objid oid, now pggit_daemon.description, unreadable text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
BEGIN
    RETURN QUERY SELECT * FROM pggit_daemon.read_in_parts(wanted);
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.read_in_parts(wanted pggit_daemon.object_address[])
    RETURNS TABLE (classid oid, objid oid, now pggit_daemon.description, unreadable text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_now pggit_daemon.description[];
    size      integer;
    why       text;
BEGIN
    BEGIN
        found_now := ARRAY(SELECT d FROM pggit_daemon.describe(wanted) d);
        RAISE EXCEPTION SQLSTATE 'PGD00';
    EXCEPTION
        WHEN SQLSTATE 'PGD00' THEN NULL;
        WHEN OTHERS THEN why := SQLSTATE || ' ' || SQLERRM;
    END;
    IF why IS NULL THEN
        RETURN QUERY SELECT d.classid, d.objid, d, NULL::text FROM unnest(found_now) d;
    ELSIF cardinality(wanted) = 1 THEN
        RETURN QUERY SELECT w.classid, w.objid, NULL::pggit_daemon.description, why FROM unnest(wanted) w;
    ELSE
        -- One of them is in the way of the others. Who has it locked has had 20 ms.
        PERFORM set_config('lock_timeout', '1ms', true);   -- until the setting of read_quietly ends
        size := ceil(cardinality(wanted) / 8.0);
        FOR part IN 0 .. ceil(cardinality(wanted)::numeric / size)::integer - 1 LOOP
            RETURN QUERY SELECT * FROM pggit_daemon.read_in_parts(wanted[part * size + 1 : (part + 1) * size]);
        END LOOP;
    END IF;
END $$;

-- The address of a definition, as the daemon computes it (versioning/tree.py): SHA-256 over all its parts, each with its
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
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY
        SELECT c.classid, c.objid, c.version, c.digest, c.type, c.schema_name, c.identity, c.definition, c.later, c.depends,
               c.recorded_type, c.recorded_schema, c.recorded_identity,
               CASE WHEN c.unreadable IS NULL AND pggit_daemon.is_ahead(c.classid, c.objid)
                    THEN 'its last change is not visible yet' ELSE c.unreadable END
          FROM (SELECT w.classid, w.objid, v.id AS version, r.unreadable, (r.now).type, (r.now).schema_name,
                       (r.now).identity, (r.now).definition, (r.now).later, (r.now).depends,
                       v.type AS recorded_type, v.schema_name AS recorded_schema, v.identity AS recorded_identity, v.blob,
                       CASE WHEN (r.now).identity IS NOT NULL
                            THEN pggit_daemon.blob_hash((r.now).definition, (r.now).later, (r.now).depends) END AS digest
                  FROM unnest(wanted) w
                  LEFT JOIN pggit_daemon.read_quietly(wanted) r ON r.objid = w.objid AND r.classid = w.classid
                  LEFT JOIN LATERAL (
                       SELECT o.id, o.type, o.schema_name, o.identity, o.blob FROM pggit_daemon.object_version o
                        WHERE o.objid = w.objid AND o.classid = w.classid AND o.to_commit IS NULL OFFSET 0) v ON true
                OFFSET 0) c
         WHERE c.unreadable IS NOT NULL
            OR (c.recorded_identity, c.recorded_type, c.recorded_schema, c.blob)
               IS DISTINCT FROM (c.identity, c.type, c.schema_name, c.digest);
END $$;

-- Somebody wants the daemon to compare everything. It looks here at each watch interval, and when it is asked to
-- (pggit_daemon.ping('verify')): after this is committed, or that comes before this can be seen.
CREATE OR REPLACE FUNCTION pggit_daemon.ask_verification() RETURNS timestamptz
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pggit_daemon.verification SET asked_at = clock_timestamp() RETURNING asked_at
$$;
