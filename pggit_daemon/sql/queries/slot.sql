-- What the server says about the replication slot and about what a slot needs.
-- Read by replication/slot.py, also on a replication connection, which takes only the simple query protocol.

-- name: slot
-- Columns that only newer servers have (invalidation_reason 17, conflicting 16) are looked up by name in the row.
SELECT s.slot_name,
       s.plugin,
       s.database,
       s.active_pid,
       s.restart_lsn::text                                AS restart_lsn,
       s.confirmed_flush_lsn::text                        AS confirmed_lsn,
       s.wal_status,
       s.safe_wal_size,
       coalesce(pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END,
           s.restart_lsn), 0)::bigint                     AS retained_bytes,
       coalesce(
           pg_catalog.to_jsonb(s) ->> 'invalidation_reason',
           CASE WHEN (pg_catalog.to_jsonb(s) ->> 'conflicting')::boolean THEN 'conflict with recovery' END,
           CASE WHEN s.wal_status = 'lost' THEN 'wal_removed' END
       )                                                  AS invalidation_reason
  FROM pg_catalog.pg_replication_slots AS s
 WHERE s.slot_name = %(slot)s;

-- name: requirements
-- Why a slot could not be made or read. plugin_libraries is NULL where the server has no such setting, and where
-- our role may not see it: current_setting would raise an error then, pg_settings just leaves it out.
SELECT pg_catalog.current_setting('wal_level')                                       AS wal_level,
       pg_catalog.current_setting('server_version_num')::integer / 10000             AS major_version,
       (SELECT g.setting FROM pg_catalog.pg_settings AS g
         WHERE g.name = 'output_plugin_libraries')                                   AS plugin_libraries,
       pg_catalog.current_setting('max_wal_senders')::integer                        AS max_wal_senders,
       pg_catalog.current_setting('max_replication_slots')::integer                  AS max_replication_slots,
       (SELECT count(*) FROM pg_catalog.pg_stat_replication)                         AS wal_senders,
       current_user                                                                  AS role_name,
       (SELECT r.rolreplication OR r.rolsuper
          FROM pg_catalog.pg_roles AS r
         WHERE r.rolname = current_user)                                             AS may_replicate;

-- name: sender_settings
-- Milliseconds after which the server gives up on a receiver that says nothing, 0 is never; and whether this session counts
-- as a synchronous standby, by its application_name.
SELECT (SELECT g.setting::integer FROM pg_catalog.pg_settings AS g WHERE g.name = 'wal_sender_timeout') AS milliseconds,
       EXISTS (SELECT FROM pg_catalog.regexp_matches(pg_catalog.current_setting('synchronous_standby_names'),
                                                     '"((?:[^"]|"")*)"|([^\s,()"]+)', 'g') AS named
                WHERE pg_catalog.lower(coalesce(pg_catalog.replace(named[1], '""', '"'), named[2]))
                      IN ('*', pg_catalog.lower(pg_catalog.current_setting('application_name')))) AS is_standby;

-- name: publish
-- Have the publications of pgoutput's stream hold these tables; in a transaction that no standby can hold up, as nobody
-- else's statement may wait for the publications long.
SELECT p.made, p.busy, p.unseen
  FROM pg_catalog.set_config('synchronous_commit', 'local', true),
       pggit_daemon.publish(%(schemas)s::text[], %(tables)s::text[], %(shapes)s::jsonb) AS p;

-- name: settle
-- Have the progress, and all that was written before it, on the server's disk: the least that makes the server wait for it.
UPDATE pggit_daemon.progress AS p SET starts = p.starts
  FROM pg_catalog.set_config('synchronous_commit', 'local', true);

-- name: starts
-- How often the stream has begun since it got on; where it will begin, and what is on disk by now.
SELECT p.starts, p.end_lsn::text, pg_catalog.pg_current_wal_flush_lsn()::text FROM pggit_daemon.progress AS p;

-- name: count_start
-- That it has begun so often; in a transaction that no standby can hold up.
UPDATE pggit_daemon.progress AS p SET starts = %(starts)s
  FROM pg_catalog.set_config('synchronous_commit', 'local', true);

-- name: forget_starts
-- That it got on, where nothing was to be stored that would have said so.
UPDATE pggit_daemon.progress AS p SET starts = 0
  FROM pg_catalog.set_config('synchronous_commit', 'local', true)
 WHERE p.starts > 0;
