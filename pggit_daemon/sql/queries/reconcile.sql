-- What the jobs beside the stream read and write, each on a connection of its own (reconcile/).

-- name: prepare_reading
-- Before a history table is read, in the same transaction. Row security would hide rows silently, so it is off: then what
-- it hides is an error. It stays on where a policy shows our role every row and none restricts that. The lock of the
-- table is waited for only so long, as others queue up behind who waits.
SELECT pg_catalog.set_config('lock_timeout', '1s', true),
       pg_catalog.set_config('row_security', CASE WHEN EXISTS (
           SELECT FROM pg_catalog.pg_policies AS p
           WHERE p.schemaname = %(schema)s AND p.tablename = %(table)s
           HAVING count(*) FILTER (WHERE p.permissive = 'PERMISSIVE' AND p.cmd IN ('SELECT', 'ALL') AND p.qual = 'true'
                                     AND (p.roles = '{public}' OR current_user = ANY (p.roles))) > 0
              AND count(*) FILTER (WHERE p.permissive = 'RESTRICTIVE') = 0) THEN 'on' ELSE 'off' END, true);

-- name: activity
-- What these sessions do, and all others of these users in the database, between two moments of the server's clock. The
-- last column: whether the statement may have committed a row of one of these tables: it ends a transaction, runs others,
-- or names such a table; a long text is cut, before a character that does not fit. The start is NULL where our role may not
-- see the session.
SELECT statement_timestamp() AS began, seen.sessions, clock_timestamp() AS ended
FROM (
    SELECT coalesce(jsonb_agg(jsonb_build_array(
               activity.pid, activity.backend_start, role.rolname, coalesce(activity.application_name, ''), activity.state,
               activity.query_start, activity.state_change, activity.xact_start,
               activity.query IS NULL
               OR octet_length(activity.query) >= pg_size_bytes(current_setting('track_activity_query_size')) - 4
               OR activity.query ~* '\m(commit|end|execute|call|do)\M'
               OR EXISTS (SELECT FROM unnest(%(tables)s::text[]) AS history (name)
                          WHERE strpos(lower(activity.query), history.name) > 0))), '[]') AS sessions
    FROM pg_catalog.pg_stat_get_activity(NULL) AS activity
    JOIN pg_catalog.pg_roles AS role ON role.oid = activity.usesysid
    WHERE activity.pid = ANY (%(pids)s::integer[])
       OR (role.rolname = ANY (%(users)s::text[])
           AND activity.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
) AS seen;

-- name: put_source_state
-- Whether a source's table could be read, for status and metrics.
UPDATE pggit_daemon.source SET state = %(state)s, detail = %(detail)s, present = %(state)s <> 'missing'
WHERE name = %(name)s AND (state, detail, present) IS DISTINCT FROM (%(state)s, %(detail)s, %(state)s <> 'missing');

-- name: commits_of_transactions
-- What these transactions (32-bit numbers) ran, where that is nobody's so far (or the source's, whose row did not come), and
-- whether somebody may still claim some of it; not of numbers that several had. Numbers from before the slot was made may be another server's, from which
-- this database was restored.
SELECT c.source_xid, coalesce(array_agg(c.hash ORDER BY c.id) FILTER (WHERE c.kind <> 'pending'), '{}'), max(c.occurred_at),
       bool_or(c.kind = 'pending')
FROM pggit.commits AS c
WHERE c.source_xid = ANY (%(xids)s) 
  AND (c.kind IN ('out_of_band', 'pending')
       OR c.kind = 'tool' AND c.metadata ->> 'source' = %(source)s AND c.metadata -> 'orphan' = 'true')
  AND c.id > (SELECT coalesce(max(slot_made.id), 0) FROM pggit.commits AS slot_made WHERE slot_made.kind IN ('baseline', 'gap'))
GROUP BY c.source_xid
HAVING count(DISTINCT c.source_lsn) = 1;
