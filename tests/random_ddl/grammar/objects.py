"""Whole objects: comments, drops, drops and creations in one transaction, schemas, publications."""

FAMILIES = {
    "comments": """
        COMMENT ON TABLE {table} IS {comment}
        2* COMMENT ON COLUMN {table}.{table.col} IS {comment}
        COMMENT ON VIEW {view} IS {comment}
        COMMENT ON COLUMN {relation}.{relation.col} IS {comment}
        COMMENT ON MATERIALIZED VIEW {matview} IS {comment}
        COMMENT ON SEQUENCE {sequence} IS {comment}
        COMMENT ON INDEX {any_index} IS {comment}
        2* COMMENT ON CONSTRAINT {constraint.name} ON {constraint.of} IS {comment}
        COMMENT ON TRIGGER {trigger.name} ON {trigger.of} IS {comment}
        COMMENT ON RULE {rule.name} ON {rule.of} IS {comment}
        COMMENT ON POLICY {policy.name} ON {policy.of} IS {comment}
        COMMENT ON TYPE {type} IS {comment}
        COMMENT ON COLUMN {composite}.{composite.col} IS {comment}
        COMMENT ON ROUTINE {routine} IS {comment}
        COMMENT ON STATISTICS {statistics} IS {comment}
        COMMENT ON SCHEMA {schema} IS {comment}
        COMMENT ON EXTENSION {extension} IS {comment}
        COMMENT ON PUBLICATION {publication} IS {comment}
    """,
    "drops": """
        8* DROP TABLE {table}<<| CASCADE| CASCADE>>
        2* DROP TABLE {table}, {table2} CASCADE
        2* DROP VIEW {view} CASCADE
        DROP MATERIALIZED VIEW {matview} CASCADE
        2* DROP TYPE {type} CASCADE
        2* DROP ROUTINE {routine} CASCADE
        DROP SEQUENCE {sequence} CASCADE
        DROP OWNED BY {role}
        DROP OWNED BY {role} CASCADE
        DROP EXTENSION {extension} CASCADE
    """,
    "drop and create": """
        3* DROP TABLE {table} CASCADE ;; CREATE TABLE {table} ({columns})
        2* DROP VIEW {view} CASCADE ;; CREATE VIEW {view} AS {query}
        DROP VIEW {view} CASCADE ;; CREATE TABLE {view} ({columns})
        DROP TABLE {table} CASCADE ;; CREATE VIEW {table} AS SELECT 1 AS id, 'x'::text AS c
        2* DROP TYPE {enum} CASCADE ;; CREATE TYPE {enum} AS ENUM ('green', 'red')
        DROP DOMAIN {domain} CASCADE ;; CREATE DOMAIN {domain} AS integer
        DROP INDEX {any_index} ;; CREATE INDEX {any_index.name} ON {stored} ({stored.some})
        DROP TRIGGER {trigger.name} ON {trigger.of} ;; CREATE TRIGGER {trigger.name} BEFORE INSERT ON {trigger.of} FOR EACH ROW EXECUTE FUNCTION {trigger_function}
        ALTER TABLE {constraint.of} DROP CONSTRAINT {constraint.name} CASCADE ;; ALTER TABLE {constraint.of} ADD CONSTRAINT {constraint.name} CHECK (true)
        ALTER TABLE {key.of} DROP CONSTRAINT {key.name} CASCADE ;; ALTER TABLE {key.of} ADD CONSTRAINT {key.name} UNIQUE ({key.all})
        ALTER TABLE {table} DROP COLUMN {table.col} CASCADE ;; ALTER TABLE {table} ADD COLUMN {table.col} {columntype}
        DROP SCHEMA {own_schema} CASCADE ;; CREATE SCHEMA {own_schema}
        DROP POLICY {policy.name} ON {policy.of} ;; CREATE POLICY {policy.name} ON {policy.of} USING (true)
        CREATE TABLE {q} (id integer) ;; DROP TABLE {q}
        CREATE TABLE {q} ({columns}) ;; ALTER TABLE {table} ADD COLUMN {newcol} integer ;; CREATE VIEW {q2} AS SELECT * FROM {table}
        CREATE TEMP TABLE temporary (a integer PRIMARY KEY, b serial) ;; DROP TABLE temporary
        CREATE TEMP VIEW passing AS SELECT * FROM {relation} ;; ALTER TABLE {table} RENAME COLUMN {table.col} TO {newcol} ;; DROP VIEW passing
    """,
    "schemas": """
        4* CREATE SCHEMA {newschema}
        2* CREATE SCHEMA {newschema} CREATE TABLE a (id integer PRIMARY KEY, b text) CREATE VIEW b AS SELECT id FROM a CREATE INDEX ON a (b)
        CREATE SCHEMA {newschema} AUTHORIZATION {role} CREATE TABLE t1 (id serial) CREATE SEQUENCE c GRANT SELECT ON t1 TO PUBLIC
        2* CREATE SCHEMA IF NOT EXISTS {newschema}
        2* ALTER SCHEMA {own_schema} RENAME TO {newschema}
        DROP SCHEMA {own_schema}
        2* ALTER TABLE {table} SET SCHEMA {schema}
        ALTER VIEW {view} SET SCHEMA {schema}
        ALTER MATERIALIZED VIEW {matview} SET SCHEMA {schema}
        ALTER TYPE {type} SET SCHEMA {schema}
        ALTER ROUTINE {routine} SET SCHEMA {schema}
    """,
    "publications": """
        3* CREATE PUBLICATION {new} FOR TABLE {table}<<| ({table.some})>>
        CREATE PUBLICATION {new} FOR TABLE {table} WHERE ({table.cond})
        CREATE PUBLICATION {new} FOR TABLES IN SCHEMA {schema}
        CREATE PUBLICATION {new} FOR ALL TABLES
        2* CREATE PUBLICATION {new} <<|WITH (publish = 'insert')>>
        2* ALTER PUBLICATION {publication} ADD TABLE {table}
        ALTER PUBLICATION {publication} ADD TABLES IN SCHEMA {schema}
        ALTER PUBLICATION {publication} DROP TABLE {table}
        ALTER PUBLICATION {publication} DROP TABLES IN SCHEMA {schema}
        ALTER PUBLICATION {publication} SET TABLE {table}, {table2}
        ALTER PUBLICATION {publication} SET (publish_via_partition_root)
        ALTER PUBLICATION {publication} RENAME TO {new}
        ALTER PUBLICATION {publication} OWNER TO {role}
        2* DROP PUBLICATION {publication}
    """,
}
