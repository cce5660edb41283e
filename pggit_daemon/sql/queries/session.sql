-- What another session of ours is doing, asked beside it while it says nothing. Read by db/beside.py.

-- name: beside
-- One row. `working`: the server is busy with what that session asked for; not so when it waits for its client (types
-- Client and Activity), which means that bytes are lost between us. NULL: there is no such session any more.
-- `blockers`: whom it waits for, as [who, since] where the server shows that to our role. A prepared transaction holds
-- locks without a session (pg_blocking_pids says 0). A slot that is being made waits for transactions one by one.
SELECT (SELECT a.state = 'active' AND coalesce(a.wait_event_type, '') NOT IN ('Client', 'Activity')
          FROM pg_catalog.pg_stat_activity AS a
         WHERE a.pid = %(pid)s)                                                        AS working,
       coalesce((
           SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(b.who, b.since) ORDER BY b.since, b.who)
             FROM (SELECT pg_catalog.concat_ws(', ',
                              'session ' || p.pid,
                              'role ' || a.usename,
                              'database ' || a.datname,
                              nullif(a.application_name, ''),
                              a.state)                                                 AS who,
                          pg_catalog.date_trunc('second', a.xact_start)                AS since
                     FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s)) AS p (pid)
                     LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
                    WHERE p.pid <> 0
                   UNION
                   SELECT pg_catalog.format('prepared transaction %%L, role %%s, database %%s',
                                            x.gid, x.owner, x.database),
                          pg_catalog.date_trunc('second', x.prepared)
                     FROM pg_catalog.pg_locks AS w
                     JOIN pg_catalog.pg_locks AS h
                       ON (h.locktype, h.database, h.relation, h.transactionid, h.classid, h.objid, h.objsubid)
                          IS NOT DISTINCT FROM
                          (w.locktype, w.database, w.relation, w.transactionid, w.classid, w.objid, w.objsubid)
                     JOIN pg_catalog.pg_prepared_xacts AS x
                       ON h.virtualtransaction = '-1/' || x.transaction OR h.transactionid = x.transaction
                    WHERE w.pid = %(pid)s AND NOT w.granted AND h.granted AND h.pid IS NULL) AS b),
           '[]')                                                                       AS blockers;
