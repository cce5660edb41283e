-- What the databases of one server have in common, read for all of them at once. Read by db/server.py.

-- name: look
-- The logical slots with the process that reads each, what is not acknowledged of it, what it keeps and what may still be
-- written before it is lost, in bytes, and whether synchronous_standby_names names its reader; by database, how many rows were written there, catalogs among them, by the server's
-- own counters; and what belongs to no database and changes what we read: names of roles and tablespaces, rights of roles.
-- Whatever only reads, we above all, changes none of these numbers.
SELECT coalesce((
           SELECT jsonb_object_agg(s.slot_name, jsonb_build_array(
                      s.active_pid, position.lsn - s.confirmed_flush_lsn, position.lsn - s.restart_lsn, s.safe_wal_size,
                      r.application_name IS NOT NULL
                      AND EXISTS (SELECT FROM regexp_matches(current_setting('synchronous_standby_names'),
                                                             '"((?:[^"]|"")*)"|([^\s,()"]+)', 'g') AS named
                                   WHERE lower(coalesce(replace(named[1], '""', '"'), named[2]))
                                         IN ('*', lower(r.application_name)))))
             FROM pg_catalog.pg_replication_slots AS s
             LEFT JOIN pg_catalog.pg_stat_replication AS r ON r.pid = s.active_pid
            CROSS JOIN LATERAL (
                SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
            ) AS position
            WHERE s.slot_type = 'logical'), '{}') AS slots,
       (SELECT jsonb_object_agg(d.datname, pg_stat_get_db_tuples_inserted(d.oid) + pg_stat_get_db_tuples_updated(d.oid)
                                           + pg_stat_get_db_tuples_deleted(d.oid))
          FROM pg_catalog.pg_database AS d) AS written,
       (SELECT sum(hashtextextended(n.name, n.oid::bigint) % 1000000000000)
          FROM (SELECT r.rolname, r.oid FROM pg_catalog.pg_roles AS r
                UNION ALL SELECT s.spcname, s.oid FROM pg_catalog.pg_tablespace AS s) AS n (name, oid))
       + (SELECT sum(pg_stat_get_tuples_inserted(c) + pg_stat_get_tuples_updated(c) + pg_stat_get_tuples_deleted(c))
            FROM unnest('{pg_authid,pg_auth_members}'::regclass[]) AS c) AS shared;
