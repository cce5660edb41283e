# Sequel's migrations as its command line runs them. Argument: the version to go to, in the files' own form.
require 'sequel'
Sequel.extension :migration

database = Sequel.connect(
  adapter: 'postgres', host: ENV['PGHOST'], port: ENV['PGPORT'], user: ENV['PGUSER'], database: ENV['PGDATABASE']
)
Sequel::Migrator.run(database, 'migrations', target: ARGV[0].to_i)
