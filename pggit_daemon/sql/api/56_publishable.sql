-- Which tables may be in the publications that pgoutput streams from (57_publish.sql), and in which of them.

-- Whether UPDATE and DELETE of a published table are allowed, as the server judges it (RelationGetReplicaIndex): by an index
-- that is valid, whole and not deferrable, or by the whole row, of which virtual columns cannot be part. An index that was
-- chosen must be that of a constraint: others can be dropped CONCURRENTLY, which takes them away long before it ends.
CREATE OR REPLACE FUNCTION pggit_daemon.has_identity(relation oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE c.relreplident
               WHEN 'f' THEN NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attgenerated = 'v')
               WHEN 'n' THEN false
               ELSE EXISTS (SELECT FROM pg_index AS i
                             WHERE i.indrelid = c.oid AND i.indislive AND i.indisvalid AND i.indisunique AND i.indimmediate
                               AND i.indpred IS NULL
                               AND CASE c.relreplident
                                       WHEN 'd' THEN i.indisprimary
                                       ELSE i.indisreplident
                                            AND EXISTS (SELECT FROM pg_constraint AS k
                                                         WHERE k.conrelid = c.oid AND k.conindid = i.indexrelid
                                                           AND k.contype IN ('p', 'u')) END) END
      FROM pg_class AS c WHERE c.oid = relation
$$;

-- A table's name as statements need it; NULL for what cannot be published, or is not a user's.
CREATE OR REPLACE FUNCTION pggit_daemon.publishable(relation oid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = relation AND c.oid >= 16384 AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
       AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_toast')
$$;

-- Whether the event trigger that takes tables out is at work; without it no table may publish updates.
CREATE OR REPLACE FUNCTION pggit_daemon.is_guarded() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_event_trigger AS e
                    WHERE e.evtname = 'pggit_daemon_publish' AND e.evtenabled = 'A'
                      AND e.evtfoid = to_regprocedure('pggit_daemon.on_publishable_ddl()'))
       AND current_setting('event_triggers', true) IS DISTINCT FROM 'off'
$$;

CREATE OR REPLACE FUNCTION pggit_daemon.is_published(relation oid, publication name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
                    WHERE p.pubname = publication AND r.prrelid = relation)
$$;

-- Put a table into the publications in which it belongs. Rows of a partitioned table are those of its partitions, so the
-- whole brings the inserts of all, and each part its own changes.
CREATE OR REPLACE FUNCTION pggit_daemon.publish_table(relation oid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_ text := pggit_daemon.publishable(relation);
BEGIN
    IF table_ IS NULL THEN
        RETURN;
    END IF;
    IF NOT pggit_daemon.is_published(relation, 'pggit_daemon') THEN
        EXECUTE format('ALTER PUBLICATION pggit_daemon ADD TABLE ONLY %s', table_);
    END IF;
    -- What has_identity sees may be old in this transaction; the server's own function sees what is.
    IF pggit_daemon.has_identity(relation) AND pggit_daemon.is_guarded()
       AND NOT pggit_daemon.is_published(relation, 'pggit_daemon_keyed')
       AND (pg_get_replica_identity_index(relation) IS NOT NULL
            OR EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relreplident = 'f'))
       AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relkind = 'r') THEN
        EXECUTE format('ALTER PUBLICATION pggit_daemon_keyed ADD TABLE ONLY %s', table_);
    END IF;
END $$;

-- The tables that publish updates and may not: they have no identity any more, or may lose it unseen. This runs after every
-- statement, so the usual table, with its primary key, is recognized by one look at the index.
CREATE OR REPLACE FUNCTION pggit_daemon.unkeyed_tables() RETURNS TABLE (oid oid, name text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_guarded constant boolean := pggit_daemon.is_guarded();
BEGIN
    RETURN QUERY
    SELECT c.oid, format('%I.%I', n.nspname, c.relname)
      FROM pg_publication AS p
      JOIN pg_publication_rel AS r ON r.prpubid = p.oid
      JOIN pg_class AS c ON c.oid = r.prrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE p.pubname = 'pggit_daemon_keyed'
       AND CASE WHEN NOT is_guarded THEN true
                WHEN c.relreplident = 'd' AND EXISTS (
                    SELECT FROM pg_index AS i
                     WHERE i.indrelid = c.oid AND i.indisprimary AND i.indislive AND i.indisvalid AND i.indimmediate)
                THEN false
                ELSE NOT pggit_daemon.has_identity(c.oid) END;
    -- A transaction that sees an old snapshot does not see in the catalog what was published since. The server's own
    -- functions do; they are asked of what this transaction has locked, as whoever takes an identity away has.
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        BEGIN
            RETURN QUERY
            SELECT k.relid, k.relid::regclass::text
              FROM (SELECT t.relid FROM pg_get_publication_tables('pggit_daemon_keyed') AS t
                      JOIN pg_lock_status() AS l
                        ON l.relation = t.relid AND l.pid = pg_backend_pid() AND l.locktype = 'relation'
                       AND l.mode = 'AccessExclusiveLock' AND l.granted OFFSET 0) AS k
             WHERE pg_get_replica_identity_index(k.relid) IS NULL
               AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = k.relid AND c.relreplident = 'f');
        EXCEPTION WHEN undefined_object THEN NULL;    -- no publication any more
        END;
    END IF;
END $$;
