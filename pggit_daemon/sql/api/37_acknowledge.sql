-- Findings that may stay as they are: a number that was skipped on purpose, a failure that was put right elsewhere. One
-- that is acknowledged is shown no more, and its alert ends; a later one about the same migration is another finding.

CREATE OR REPLACE FUNCTION pggit_daemon.acknowledge_finding(wanted text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    IF acknowledge_finding.reason IS NULL OR acknowledge_finding.reason !~ '\S' THEN
        RAISE EXCEPTION 'reason must not be empty' USING ERRCODE = '22023',
            HINT = 'Say in a few words why it may stay; others will read it.';
    END IF;
    SELECT f.status, f.message, f.finding INTO found
      FROM pggit_daemon.findings(NULL) AS f WHERE f.finding = wanted AND f.status <> 'pending';
    IF found.finding IS NULL THEN
        IF EXISTS (SELECT FROM pggit_daemon.acknowledgement AS a WHERE a.finding = wanted) THEN
            RAISE NOTICE 'the finding % is acknowledged already', wanted;
            RETURN;
        END IF;
        RAISE EXCEPTION 'there is no finding "%"', left(wanted, 200) USING ERRCODE = '42704',
            HINT = 'SELECT finding, message FROM pggit.validate_migrations() shows them.';
    END IF;
    IF found.status = 'checksum_changed' THEN
        -- It is there as long as its conflict is.
        PERFORM pggit_daemon.resolve_conflict(substring(wanted FROM ':([0-9]+)$')::bigint, acknowledge_finding.reason);
        RETURN;
    END IF;
    INSERT INTO pggit_daemon.acknowledgement (finding, status, message, reason, acknowledged_by)
    VALUES (wanted, found.status, found.message, acknowledge_finding.reason, session_user)
    ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.reopen_finding(wanted text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM pggit_daemon.acknowledgement AS a WHERE a.finding = wanted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no finding "%" is acknowledged', left(wanted, 200) USING ERRCODE = '42704',
            HINT = 'SELECT finding FROM pggit.acknowledged_findings() shows those that are.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pggit.acknowledged_findings()
    RETURNS TABLE (finding text, status text, message text, reason text, acknowledged_by text,
                   acknowledged_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.finding, a.status, a.message, a.reason, a.acknowledged_by, a.acknowledged_at
    FROM pggit_daemon.acknowledgement AS a
    ORDER BY a.acknowledged_at, a.finding
$$;

COMMENT ON FUNCTION pggit.acknowledged_findings() IS 'The findings that were acknowledged, by whom, when and why.';
