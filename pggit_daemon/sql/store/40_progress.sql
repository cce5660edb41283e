-- What the daemon writes: the outboxes without what is handled, what could not be read, and how far it has come.

-- The outbox holds what is not handled yet. Returns the ids that cannot be seen yet, or are gone already.
CREATE OR REPLACE FUNCTION pggit_daemon.store_handled_events(p jsonb) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    handled bigint[] := translate(p ->> 'ids', '[]', '{}')::bigint[];
    gone    bigint[];
BEGIN
    WITH gone AS (DELETE FROM pggit_daemon.ddl_event AS e WHERE e.id = ANY (handled) RETURNING e.id)
    SELECT array_agg(g.id) INTO gone FROM gone AS g;
    IF cardinality(gone) = cardinality(handled) THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(h.id), '[]') FROM unnest(handled) AS h (id) WHERE h.id <> ALL (coalesce(gone, '{}')));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_handled_requests(p jsonb) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    handled bigint[] := translate(p ->> 'ids', '[]', '{}')::bigint[];
    gone    bigint[];
BEGIN
    WITH gone AS (DELETE FROM pggit_daemon.request AS r WHERE r.id = ANY (handled) RETURNING r.id)
    SELECT array_agg(g.id) INTO gone FROM gone AS g;
    IF cardinality(gone) = cardinality(handled) THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(h.id), '[]') FROM unnest(handled) AS h (id) WHERE h.id <> ALL (coalesce(gone, '{}')));
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_quarantine(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.quarantine (lsn, xid, raw, reason, kind)
    VALUES ((p ->> 'lsn')::pg_lsn, (p ->> 'xid')::bigint, p ->> 'raw', p ->> 'reason', coalesce(p ->> 'kind', 'record'))
    ON CONFLICT DO NOTHING;
END $$;

-- The last comparison of everything.
CREATE OR REPLACE FUNCTION pggit_daemon.store_put_verification(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pggit_daemon.verification (
        began_at, finished_at, objects, differing, unreadable, seconds, commit_hash, writer, horizon, names)
    VALUES (
        (p ->> 'began_at')::timestamptz, clock_timestamp(), (p ->> 'objects')::integer, (p ->> 'differing')::integer,
        (p ->> 'unreadable')::integer, (p ->> 'seconds')::double precision, p ->> 'commit', p ->> 'writer',
        (p ->> 'horizon')::xid8, (p ->> 'names')::bigint)
    ON CONFLICT (singleton) DO UPDATE SET
        began_at = excluded.began_at, finished_at = excluded.finished_at, objects = excluded.objects,
        differing = excluded.differing, unreadable = excluded.unreadable, seconds = excluded.seconds,
        commit_hash = excluded.commit_hash, writer = excluded.writer, horizon = excluded.horizon, names = excluded.names;
END $$;

-- The guard makes a second daemon, or a batch that was stored already, fail instead of storing twice.
CREATE OR REPLACE FUNCTION pggit_daemon.advance(
    to_slot text, to_commit pg_lsn, to_end pg_lsn, to_head text, to_context jsonb, to_bound pg_lsn, to_chain text,
    from_commit pg_lsn) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pggit_daemon.progress AS known
    SET slot_name = to_slot, commit_lsn = to_commit, end_lsn = to_end, head = to_head, context = to_context,
        updated_at = clock_timestamp(), bound_lsn = to_bound, starts = 0, chain = to_chain
    WHERE known.singleton AND known.commit_lsn = from_commit;
    IF FOUND THEN
        RETURN;
    END IF;
    INSERT INTO pggit_daemon.progress (slot_name, commit_lsn, end_lsn, head, context, bound_lsn, chain)
    VALUES (to_slot, to_commit, to_end, to_head, to_context, to_bound, to_chain)
    ON CONFLICT (singleton) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another daemon has stored progress meanwhile' USING ERRCODE = 'PGD01';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.store_advance(p jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    done text;      -- what void is as text
BEGIN
    done := pggit_daemon.advance(
        p ->> 'slot', (p ->> 'commit_lsn')::pg_lsn, (p ->> 'end_lsn')::pg_lsn, p ->> 'head', (p ->> 'context')::jsonb,
        (p ->> 'bound')::pg_lsn, p ->> 'chain', (p ->> 'before')::pg_lsn);
END $$;
