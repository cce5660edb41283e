-- Deployments: a session's commits between begin and end, under one name. The daemon writes pggit.deployments.

CREATE OR REPLACE FUNCTION pggit_daemon.begin_deployment(deployment_name text, auto_commit boolean) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    deployment uuid := gen_random_uuid();
    open_name  text;
BEGIN
    IF deployment_name IS NULL OR deployment_name !~ '\S' OR length(deployment_name) > 10000 THEN
        RAISE EXCEPTION 'deployment_name must have 1 to 10000 characters' USING ERRCODE = '22023',
            HINT = 'Pass a name that tells this deployment from others.';
    END IF;
    SELECT o.name INTO open_name FROM pggit_daemon.open_runs() AS o WHERE o.deploys;
    IF FOUND THEN
        RAISE EXCEPTION 'deployment "%" is open in this session already', open_name USING ERRCODE = '55000',
            HINT = 'Call pggit.end_deployment first.';
    END IF;
    PERFORM pggit_daemon.send_request('deploy', jsonb_build_object(
        'deployment', deployment, 'name', deployment_name, 'auto_commit', coalesce(auto_commit, false)));
    RETURN deployment;
END $$;

CREATE OR REPLACE FUNCTION pggit_daemon.end_deployment(message text, tags text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    ended text;
BEGIN
    SELECT o.run_key INTO ended FROM pggit_daemon.open_runs() AS o WHERE o.deploys;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no deployment is open in this session' USING ERRCODE = '55000',
            HINT = 'Call pggit.begin_deployment first, in this session.';
    END IF;
    PERFORM pggit_daemon.send_request('deployed', jsonb_build_object(
        'deployment', ended, 'message', left(message, 10000), 'tags', ARRAY(SELECT unnest(tags))));
END $$;

-- Which commits were made in which deployment.
CREATE INDEX IF NOT EXISTS commits_deployment_idx ON pggit.commits ((metadata ->> 'deployment'))
    WHERE metadata ->> 'deployment' IS NOT NULL;
CREATE OR REPLACE VIEW pggit.deployment_commits AS
    SELECT d.deployment_id, d.deployment_name, d.status AS deployment_status, c.id AS commit_id, c.hash AS commit_hash,
           c.kind, c.message AS commit_message, c.author, c.occurred_at, c.objects_changed
    FROM pggit.deployments AS d
    JOIN pggit.commits AS c ON c.metadata ->> 'deployment' = d.deployment_id::text;
COMMENT ON VIEW pggit.deployment_commits IS 'The commits that each deployment made.';
