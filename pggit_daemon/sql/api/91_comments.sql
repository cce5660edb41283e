-- What the public tables are, and their columns where the name does not say it.

COMMENT ON SCHEMA pggit IS 'The history of this database''s schema, and the migrations that made it.';
COMMENT ON TABLE pggit.branches IS 'Lines of history; the daemon writes main.';
COMMENT ON TABLE pggit.commits IS 'One row per change of the schema, in the order of the WAL.';
COMMENT ON COLUMN pggit.commits.kind IS 'pending (a tool may still claim it), baseline, migration, tool, out_of_band, rollback, snapshot or gap; NULL: not the daemon''s.';
COMMENT ON COLUMN pggit.commits.tree_hash IS 'The hash of the whole schema after the commit, as the WAL says; the commit''s hash covers it.';
COMMENT ON COLUMN pggit.commits.recorded_tree IS 'The same of the schema as recorded, where a definition was read from the catalog; NULL: tree_hash is.';
COMMENT ON COLUMN pggit.commits.metadata IS 'Who (user, application_name, client address), from which transaction, by what evidence.';
COMMENT ON COLUMN pggit.commits.source_lsn IS 'Where in the WAL the transaction committed.';
COMMENT ON COLUMN pggit.commits.source_xid IS 'The transaction.';
COMMENT ON COLUMN pggit.commits.occurred_at IS 'When the transaction committed.';
COMMENT ON COLUMN pggit.commits.objects_changed IS 'How many objects it changed; pggit.commit_changes lists them.';
COMMENT ON TABLE pggit.external_migrations IS 'Every migration of every tool, unique by tool_name, source and migration_id.';
COMMENT ON COLUMN pggit.external_migrations.migration_id IS 'The tool''s own number; 10^18 and more: given by us, for versions that are no plain number; negative: a rollback of that migration.';
COMMENT ON COLUMN pggit.external_migrations.pggit_commit_id IS 'The commit it is linked to (its last one); NULL = not linked.';
COMMENT ON COLUMN pggit.external_migrations.source IS 'The history table that lists it; sql = the SQL API.';
COMMENT ON COLUMN pggit.external_migrations.version IS 'The tool''s own id of it, as text.';
COMMENT ON COLUMN pggit.external_migrations.sequence IS 'The tool''s own order.';
COMMENT ON COLUMN pggit.external_migrations.status IS 'applied, failed, started, baseline, schema, marked, rollback, rolled_back, deleted, removed or cleared.';
COMMENT ON COLUMN pggit.external_migrations.evidence IS 'What links it to its commit, strongest first: transaction, session, lock, bracket, window, baseline, manual, snapshot; none: it ran no DDL, and this is the commit whose schema it saw.';
COMMENT ON COLUMN pggit.external_migrations.rollback_of IS 'For a rollback: the migration that it undid.';
COMMENT ON COLUMN pggit.external_migrations.source_lsn IS 'Where in the WAL its row was written.';
COMMENT ON TABLE pggit.deployments IS 'Commits that a session grouped with begin_deployment and end_deployment.';
COMMENT ON TABLE pggit.conflicts IS 'What does not fit and needs a decision: list_conflicts, resolve_conflict.';
COMMENT ON COLUMN pggit.conflicts.conflict_type IS 'out_of_band, checksum_changed, tree_differs';
COMMENT ON COLUMN pggit.conflicts.resolved_by IS 'Who resolved it by hand; NULL where its cause went away.';
