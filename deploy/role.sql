-- The daemon's role for the trial in compose.yaml. `init --role` gives it its rights on our two schemas; reading
-- the history tables of every tool, also of those that come later, is a right of its own.
CREATE ROLE pggit_daemon LOGIN REPLICATION PASSWORD 'pggit_daemon';
GRANT pg_read_all_data TO pggit_daemon;
