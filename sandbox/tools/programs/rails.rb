# Active Record's migrations as Rails runs them. Command: up, down or load (a schema file).
require 'active_record'

ActiveRecord::Base.establish_connection(
  adapter: 'postgresql', host: ENV['PGHOST'], port: ENV['PGPORT'], username: ENV['PGUSER'], database: ENV['PGDATABASE']
)
context = ActiveRecord::MigrationContext.new('migrations', ActiveRecord::SchemaMigration)
case ARGV[0]
when 'up' then context.migrate
when 'down' then context.rollback(1)
when 'load' then ActiveRecord::Schema.define(version: 20260101000009) { create_table(:hand_loaded) { |t| t.text :note } }
end
