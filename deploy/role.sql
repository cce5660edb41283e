-- The password of the daemon's role for the trial in compose.yaml; `init --role` gives the role all it needs.
CREATE ROLE pggit_daemon LOGIN REPLICATION PASSWORD 'pggit_daemon';
