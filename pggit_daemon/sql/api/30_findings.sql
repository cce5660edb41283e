-- What is wrong with the migrations, one row each; nothing where all is well. For validate_migrations (30_validate.sql).

-- Why what is recorded may not be all that was committed; NULL when the daemon has come this far.
-- The outboxes hold what is committed and not handled yet; a daemon that is not there, or one WAL segment behind, may
-- also have rows of history tables before it.
CREATE OR REPLACE FUNCTION pggit_daemon.pending() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at     pggit_daemon.progress;
    slot   pg_replication_slots;
    behind numeric;
    mine   xid := pg_current_xact_id_if_assigned()::xid;
    waits  boolean := EXISTS (SELECT FROM pggit_daemon.ddl_event AS e WHERE e.xmin IS DISTINCT FROM mine)
                   OR EXISTS (SELECT FROM pggit_daemon.request AS r WHERE r.xmin IS DISTINCT FROM mine);
BEGIN
    SELECT * INTO at FROM pggit_daemon.progress;
    IF NOT FOUND THEN
        RETURN 'The daemon has not recorded this database yet';
    END IF;
    SELECT * INTO slot FROM pg_replication_slots AS s WHERE s.slot_name = at.slot_name;
    IF NOT FOUND OR slot.confirmed_flush_lsn IS NULL THEN
        RETURN format('The replication slot %s is missing: nothing after %s is recorded', at.slot_name, at.end_lsn);
    END IF;
    behind := pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                              slot.confirmed_flush_lsn);
    IF NOT slot.active AND (waits OR behind > 0) THEN
        RETURN format('The daemon is not connected: %s bytes behind', greatest(behind, 0));
    ELSIF waits OR behind > 16 * 1024 * 1024 THEN
        RETURN format('The daemon has not come this far: %s bytes behind', greatest(behind, 0));
    END IF;
    RETURN (SELECT format('Migration %s of %s waits: a row of it %s', o.migration_id, o.tool_name,
                          CASE o.why WHEN 'held' THEN 'is held by a transaction that is open'
                                     ELSE 'is committed and not visible yet (a synchronous standby does not answer?)' END)
            FROM pggit_daemon.parked AS o ORDER BY o.id LIMIT 1);
END $$;

-- One attempt at a migration: its id may be tried again.
CREATE OR REPLACE FUNCTION pggit_daemon.attempt(migration_id bigint, sequence bigint, applied_at timestamptz) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.concat_ws('@', $1, coalesce($2, EXTRACT(epoch FROM $3)::bigint))
$$;

-- What attribution said of a row that it linked to no commit; NULL where it said nothing. Rows are found by their place.
CREATE OR REPLACE FUNCTION pggit_daemon.why_unlinked(of_source text, of_migration bigint, at_lsn pg_lsn) RETURNS text
    LANGUAGE sql STABLE STRICT AS $$
    SELECT there.note
      FROM (SELECT h.id, h.source, h.migration_id, h.note FROM pggit_daemon.history_event AS h
             WHERE h.lsn = at_lsn OFFSET 0) AS there
     WHERE there.source = of_source AND there.migration_id = of_migration AND there.note IS NOT NULL
     ORDER BY there.id DESC LIMIT 1
$$;

-- All findings; `wanted` is a tool or a source, NULL means all. `subject` is what of the source it is about, so that it
-- is distinguished from every other finding of its status, also from a later one about the same migration.
CREATE OR REPLACE FUNCTION pggit_daemon.every_finding(wanted text)
    RETURNS TABLE (migration_id bigint, status text, message text, tool_name text, source text, version text, place bigint,
                   subject text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH m AS MATERIALIZED (
        SELECT e.migration_id, e.tool_name, e.source, e.version, e.status, e.success, e.error_message, e.applied_at,
               e.sequence, e.evidence, e.pggit_commit_id, e.source_lsn
        FROM pggit.external_migrations AS e
        WHERE wanted IS NULL OR wanted IN (e.tool_name, e.source)
    ),
    -- Gaps: holes in what was counted 1, 2, 3. Nobody counts to a million: longer numbers are dates, epochs, and the ids
    -- that we give. Six digits may be dates too (202401, 240131): they are where all six-digit ids of the source are.
    dated AS (
        SELECT m.tool_name, m.source
        FROM m
        WHERE m.migration_id BETWEEN 100000 AND 999999 AND m.status <> 'cleared'
        GROUP BY m.tool_name, m.source
        HAVING bool_and(m.migration_id / 100 BETWEEN 1900 AND 2099 AND m.migration_id % 100 BETWEEN 1 AND 12
                        OR m.migration_id / 100 % 100 BETWEEN 1 AND 12 AND m.migration_id % 100 BETWEEN 1 AND 31)
    ),
    counted AS (
        -- What was emptied with its whole table starts again; everything else that was ever seen is no hole.
        SELECT m.tool_name, m.source, m.migration_id,
               lag(m.migration_id) OVER (PARTITION BY m.tool_name, m.source ORDER BY m.migration_id) AS before
        FROM m
        WHERE m.migration_id BETWEEN 1 AND 999999 AND m.status <> 'cleared'
          -- What the preset says goes before what numbers look like.
          AND m.source <> ALL (ARRAY(SELECT s.name FROM pggit_daemon.source AS s WHERE s.number_order <> 'counted'))
          AND NOT (m.migration_id > 99999
                   AND EXISTS (SELECT FROM dated AS d WHERE (d.tool_name, d.source) = (m.tool_name, m.source)))
    ),
    -- Versions of several parts, as 2.1. Nothing tells which numbers a team left out round one, so between 1 and 4 it closes
    -- the hole. Few have any, so they are found once, not again for each hole.
    dotted AS MATERIALIZED (
        SELECT m.tool_name, m.source, v.chief
        FROM m
        CROSS JOIN LATERAL (SELECT substring(m.version, '^(\d+)\.\d')::numeric AS chief) AS v
        WHERE v.chief IS NOT NULL AND m.status <> 'cleared'
          AND (m.migration_id >= 1000000000000000000 OR m.migration_id = v.chief)
    ),
    -- Out of order: applied after a higher number of the same source, by the tool's own order where it has one.
    -- What was linked by hand says nothing about when it ran.
    placed AS (
        SELECT m.migration_id, m.tool_name, m.source, m.version, m.sequence, m.applied_at, m.evidence,
               m.pggit_commit_id,
               bool_and(coalesce(m.sequence = m.migration_id, false)) OVER (PARTITION BY m.tool_name, m.source) AS numbered
        FROM m
        WHERE m.migration_id BETWEEN 1 AND 999999999999999999 AND m.success IS NOT FALSE
          AND m.status NOT IN ('failed', 'started', 'removed', 'cleared', 'deleted', 'rolled_back')
          AND m.evidence IS DISTINCT FROM 'manual'
          -- Where scripts are ordered by what they name, or by when they came, no number is too late.
          AND m.source <> ALL (ARRAY(SELECT s.name FROM pggit_daemon.source AS s
                                     WHERE s.number_order IN ('chained', 'arrival')))
          AND (m.sequence IS NOT NULL OR m.applied_at IS NOT NULL)
    ),
    -- Where the tool's order is the number itself (dbmate, Rails), it does not say when: commits do, which stand in the
    -- order of what ran. What was there before its source was known, or came with others, counts as in order: it ran at
    -- the latest at its commit.
    ordered AS (
        SELECT p.migration_id, p.tool_name, p.source, p.version, p.sequence, p.applied_at,
               p.numbered AND p.evidence = 'baseline' AS undated,
               max(p.migration_id) OVER (PARTITION BY p.tool_name, p.source
                                         ORDER BY CASE WHEN p.numbered THEN p.pggit_commit_id ELSE p.sequence END,
                                                  CASE WHEN p.numbered THEN NULL ELSE p.applied_at END, p.migration_id
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
        FROM placed AS p
        WHERE NOT (p.numbered AND p.pggit_commit_id IS NULL)
    ),
    newest AS (
        SELECT max(c.id) AS id FROM pggit.commits AS c WHERE c.kind IN ('migration', 'rollback')
    ),
    beside AS (
        -- A comparison finds what changed, and not who did it: its commit's author is the daemon.
        SELECT c.id, CASE WHEN c.kind = 'out_of_band' THEN c.author ELSE 'an unknown session' END AS author, c.message
        FROM pggit.commits AS c
        WHERE c.kind IN ('out_of_band', 'snapshot', 'gap') AND c.objects_changed > 0
          AND c.id > coalesce((SELECT newest.id FROM newest), 0)
    )
    SELECT NULL::bigint, 'gap',
           CASE WHEN c.migration_id = c.before + 2 THEN format('Missing migration %s', c.before + 1)
                ELSE format('Missing migrations %s to %s', c.before + 1, c.migration_id - 1) END,
           c.tool_name, c.source, NULL::text, c.before + 1,
           concat_ws('-', c.before + 1, nullif(c.migration_id - 1, c.before + 1))
    FROM counted AS c
    WHERE c.migration_id > c.before + 1
      AND NOT EXISTS (SELECT FROM dotted AS d
                      WHERE (d.tool_name, d.source) = (c.tool_name, c.source)
                        AND d.chief >= c.before AND d.chief < c.migration_id)
    UNION ALL
    SELECT m.migration_id, 'failed', 'Migration failed: ' || coalesce(m.error_message, 'the reason was not recorded'),
           m.tool_name, m.source, m.version, m.migration_id,
           pggit_daemon.attempt(m.migration_id, m.sequence, m.applied_at)
    FROM m
    -- A failed row that the tool took away itself (repair, clean) is settled.
    WHERE NOT m.success AND m.status NOT IN ('started', 'removed', 'cleared', 'deleted')
    UNION ALL
    SELECT m.migration_id, 'unlinked',
           concat_ws(': ', 'Migration not linked to pgGit commit', pggit_daemon.why_unlinked(m.source, m.migration_id, m.source_lsn)),
           m.tool_name, m.source, m.version, m.migration_id,
           pggit_daemon.attempt(m.migration_id, m.sequence, m.applied_at)
    FROM m
    WHERE m.pggit_commit_id IS NULL AND m.success IS NOT FALSE
      AND m.status NOT IN ('started', 'removed', 'cleared', 'deleted', 'rolled_back')
      -- Its DDL may still come.
      AND NOT EXISTS (SELECT FROM pggit_daemon.attribution AS a
                      WHERE a.kind = 'row' AND a.state ->> 'source' = m.source
                        AND a.state ->> 'migration_id' = m.migration_id::text)
    UNION ALL
    SELECT m.migration_id, 'missing', 'Migration is missing: its row vanished from ' || m.source,
           m.tool_name, m.source, m.version, m.migration_id,
           pggit_daemon.attempt(m.migration_id, m.sequence, m.applied_at)
    FROM m
    WHERE m.status = 'removed' AND m.success IS NOT FALSE
    UNION ALL
    SELECT m.migration_id, 'started', format('Migration started at %s and has not ended', date_trunc('second', m.applied_at)),
           m.tool_name, m.source, m.version, m.migration_id,
           pggit_daemon.attempt(m.migration_id, m.sequence, m.applied_at)
    FROM m
    WHERE m.status = 'started'
    UNION ALL
    SELECT o.migration_id, 'out_of_order', format('Migration was applied after %s', o.highest),
           o.tool_name, o.source, o.version, o.migration_id,
           pggit_daemon.attempt(o.migration_id, o.sequence, o.applied_at)
    FROM ordered AS o
    WHERE o.highest > o.migration_id AND o.undated IS NOT TRUE
    UNION ALL
    SELECT m.migration_id, 'checksum_changed',
           format('Checksum changed after the migration was applied (conflict %s)', c.conflict_id),
           m.tool_name, m.source, m.version, m.migration_id, c.conflict_id::text
    FROM pggit.conflicts AS c
    JOIN m ON m.source || ' ' || m.migration_id = c.object_identifier
    WHERE c.conflict_type = 'checksum_changed' AND c.status = 'unresolved'
    UNION ALL
    -- A tool's DDL that no row came for, unless that source has gone on since: a row that made no commit is linked to the
    -- one that it saw, which may be this.
    SELECT NULL, 'orphan', format('DDL that a run of %s left without a migration, commit %s: %s', c.metadata ->> 'source', c.id, c.message),
           s.tool_name, c.metadata ->> 'source', NULL, c.id, c.id::text
    FROM pggit.commits AS c
    LEFT JOIN pggit_daemon.source AS s ON s.name = c.metadata ->> 'source'
    WHERE c.kind = 'tool' AND c.metadata ->> 'orphan' = 'true'
      AND (wanted IS NULL OR wanted IN (s.tool_name, c.metadata ->> 'source'))
      AND NOT EXISTS (SELECT FROM m WHERE m.source = c.metadata ->> 'source' AND m.pggit_commit_id >= c.id)
    UNION ALL
    -- A run that crashed has left its tool's lock behind: the next run will not begin.
    SELECT NULL, 'abandoned_lock',
           format('%s.%s is held since %s by a session that is gone: release it with the tool', a.state ->> 'schema',
                  a.state ->> 'table', coalesce(date_trunc('second', (a.state ->> 'at')::timestamptz)::text, a.state ->> 'opened')),
           s.tool_name, s.name, NULL, NULL, a.state ->> 'opened'
    FROM pggit_daemon.attribution AS a
    LEFT JOIN pggit_daemon.source AS s ON s.schema_name = a.state ->> 'schema' AND s.lock_table = a.state ->> 'table'
    WHERE a.kind = 'bracket' AND a.state ->> 'abandoned' = 'true'
      AND (wanted IS NULL OR wanted IN (s.tool_name, s.name))
    UNION ALL
    -- What the log does not show of a table is found by comparing, which may not tell one change from another.
    SELECT NULL, 'no_identity',
           format('The replica identity of %s was set back, so the stream shows no UPDATE or DELETE of it. '
                  'It has one again after: SELECT pggit.integrate(%L)', b.parts, b.history::text),
           b.tool_name, b.source, NULL, NULL, NULL
    FROM pggit_daemon.identities_set_back() AS b
    WHERE wanted IS NULL OR wanted IN (b.tool_name, b.source)
    UNION ALL
    SELECT NULL, 'drift',
           format('%s commit%s outside migrations since the last one, the newest by %s: %s', count(*),
                  CASE WHEN count(*) > 1 THEN 's' END, (array_agg(b.author ORDER BY b.id DESC))[1],
                  (array_agg(b.message ORDER BY b.id DESC))[1]),
           NULL, NULL, NULL, NULL, max(b.id)::text
    FROM beside AS b
    WHERE wanted IS NULL
    HAVING count(*) > 0
    UNION ALL
    SELECT NULL, 'history_gap',
           format('The slot was lost: what changed until %s is one commit, %s', date_trunc('second', c.occurred_at), c.id), NULL, NULL, NULL, c.id,
           c.id::text
    FROM pggit.commits AS c
    WHERE c.kind = 'gap' AND wanted IS NULL
    UNION ALL
    -- The chain of hashes shows what is gone; nothing else does, as the schema of every later commit is as it was.
    SELECT NULL, 'deleted_commit',
           format('Commit %s was deleted from pggit.commits (%s): what it changed is in the schema after it, but no commit shows it',
                  left(gone.hash, 12), gone.known_by), NULL, NULL, NULL, gone.place, gone.hash
    FROM (SELECT c.parent_commit_hash, format('the parent of %s', c.id), c.id
          -- As a rule it is the one before, so that only where it is not it must be looked up.
          FROM (SELECT l.id, l.kind, l.parent_commit_hash, lag(l.hash) OVER (ORDER BY l.id) AS one_before
                FROM pggit.commits AS l) AS c
          WHERE c.kind IS NOT NULL AND c.parent_commit_hash <> coalesce(c.one_before, '')
          UNION ALL
          SELECT p.head, 'the newest one', NULL FROM pggit_daemon.progress AS p WHERE p.head IS NOT NULL)
         AS gone (hash, known_by, place)
    WHERE wanted IS NULL AND NOT EXISTS (SELECT FROM pggit.commits AS c WHERE c.hash = gone.hash)
    UNION ALL
    SELECT NULL, 'quarantined', format('What came at %s could not be recorded: %s', q.lsn, left(q.reason, 200)),
           NULL, NULL, NULL, q.id, q.id::text
    FROM pggit_daemon.quarantine AS q
    WHERE wanted IS NULL
    UNION ALL
    SELECT NULL, 'pending', p.message, NULL, NULL, NULL, NULL, NULL
    FROM pggit_daemon.pending() AS p (message)
    WHERE p.message IS NOT NULL
$$;

-- Those that nobody has acknowledged. `finding` names one of them: status, source and subject. For validate_migrations,
-- the metrics and the commands.
CREATE OR REPLACE FUNCTION pggit_daemon.findings(wanted text)
    RETURNS TABLE (migration_id bigint, status text, message text, tool_name text, source text, version text, place bigint,
                   finding text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT named.*
    FROM (SELECT e.migration_id, e.status, e.message, e.tool_name, e.source, e.version, e.place,
                 concat_ws(':', e.status, e.source, e.subject)
          FROM pggit_daemon.every_finding(wanted) AS e)
        AS named (migration_id, status, message, tool_name, source, version, place, finding)
    WHERE NOT EXISTS (SELECT FROM pggit_daemon.acknowledgement AS a WHERE a.finding = named.finding)
$$;
