-- What the server needs, once, by a superuser in any database; then restart the server:
--   psql < deploy/server.sql
ALTER SYSTEM SET wal_level = 'logical';

-- A stopped daemon must not fill the disk: past this the slot is given up, and the history has a gap that says so.
ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';

-- From 15.19, 16.15, 17.11 and 18.5 on, a server loads only the output plugins on its list; earlier ones have no list.
-- Without quotes round the whole list: in quotes it would be one name.
SELECT format('ALTER SYSTEM SET output_plugin_libraries = %s',
              string_agg(DISTINCT quote_ident(btrim(one, ' "')), ', '))
  FROM pg_catalog.pg_settings AS s,
       regexp_split_to_table(concat_ws(',', nullif(s.setting, ''), 'wal2json'), ',') AS one
 WHERE s.name = 'output_plugin_libraries'
-- No row where there is no such setting: an aggregate alone would give one without a value.
HAVING count(*) > 0
\gexec
