-- Whom the server counts as a synchronous standby: whoever streams, a decoder too, by its application_name.

-- Whether that may be the daemon's own stream. What is stored must not wait for it then: it says how far it is only once
-- that is stored, and every user's commit waits with us.
CREATE OR REPLACE FUNCTION pggit_daemon.may_be_standby() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM regexp_matches(current_setting('synchronous_standby_names'), '"((?:[^"]|"")*)"|([^\s,()"]+)', 'g')
                       AS named
                    WHERE lower(coalesce(replace(named[1], '""', '"'), named[2]))
                          IN ('*', 'pggit-daemon', lower(current_setting('application_name'))))
$$;
