"""Indexes, views, sequences, triggers, rules, policies, statistics."""

FAMILIES = {
    "indexes": """
        3* CREATE INDEX ON {stored} ({stored.some})
        2* CREATE UNIQUE INDEX {new} ON {stored} ({stored.some})
        3* CREATE INDEX ON {stored} (({stored.expr}))<<| WHERE {stored.cond}>>
        CREATE INDEX {new} ON {stored} USING <<hash|brin>> ({stored.col})
        CREATE INDEX ON {stored} ({stored.col} DESC NULLS LAST) INCLUDE ({stored.col2})
        CREATE INDEX IF NOT EXISTS {new} ON {stored} ({stored.col}) WITH (fillfactor = 70)
        CREATE <<|UNIQUE >>INDEX CONCURRENTLY {new} ON {plain} ({plain.col})
        DROP INDEX CONCURRENTLY {any_index}
        REINDEX INDEX <<|CONCURRENTLY >>{any_index}
        2* DROP INDEX {any_index}
        3* ALTER INDEX {any_index} RENAME TO {new}
        ALTER INDEX {any_index} SET (fillfactor = 80)
        ALTER INDEX {any_index} ALTER COLUMN 1 SET STATISTICS {num}
        ALTER TABLE {any_index} RENAME TO {new}
    """,
    "views": """
        6* CREATE VIEW {q} AS {query}
        3* CREATE OR REPLACE VIEW {view} AS {query}
        2* CREATE OR REPLACE VIEW {view} AS SELECT * FROM {relation}
        CREATE VIEW {q} WITH (security_barrier) AS {query}
        CREATE VIEW {q} AS {query} WITH LOCAL CHECK OPTION
        CREATE RECURSIVE VIEW public.again (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM again WHERE n < 5
        3* CREATE MATERIALIZED VIEW {q} AS {query}<<| WITH NO DATA>>
        REFRESH MATERIALIZED VIEW {matview}
        ALTER VIEW {view} ALTER {view.col} SET DEFAULT {view.value}
        ALTER VIEW {view} ALTER {view.col} DROP DEFAULT
        2* ALTER VIEW {view} RENAME COLUMN {view.col} TO {newcol}
        ALTER VIEW {view} <<SET|RESET>> (security_barrier)
        ALTER MATERIALIZED VIEW {matview} RENAME COLUMN {matview.col} TO {newcol}
        ALTER MATERIALIZED VIEW {matview} ALTER {matview.col} SET STATISTICS {num}
        DROP VIEW {view}<<| CASCADE>>
        DROP MATERIALIZED VIEW {matview}<<| CASCADE>>
    """,
    "sequences": """
        3* CREATE SEQUENCE {q} <<INCREMENT 2|AS smallint|START 5 CYCLE|>>
        2* ALTER SEQUENCE {sequence} OWNED BY {table}.{table.col}
        ALTER SEQUENCE {sequence} OWNED BY NONE
        ALTER SEQUENCE {sequence} <<INCREMENT {num}|MAXVALUE 1000|RESTART|AS bigint|NO MAXVALUE CACHE 5>>
        2* ALTER SEQUENCE {sequence} RENAME TO {new}
        ALTER TABLE {table} ALTER {table.int} SET DEFAULT nextval('{sequence}')
        ALTER SEQUENCE {sequence} SET SCHEMA {schema}
        DROP SEQUENCE {sequence}<<| CASCADE>>
    """,
    "triggers": """
        2* CREATE FUNCTION {q}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'
        4* CREATE TRIGGER {new} <<BEFORE|AFTER>> <<INSERT|UPDATE|DELETE OR INSERT>> ON {table} FOR EACH ROW EXECUTE FUNCTION {trigger_function}
        2* CREATE TRIGGER {new} BEFORE UPDATE OF {table.some} ON {table} FOR EACH ROW WHEN (new.{table.col} IS NOT NULL) EXECUTE FUNCTION {trigger_function}
        CREATE TRIGGER {new} AFTER TRUNCATE ON {table} EXECUTE FUNCTION {trigger_function}
        CREATE TRIGGER {new} INSTEAD OF INSERT ON {view} FOR EACH ROW EXECUTE FUNCTION {trigger_function}
        CREATE CONSTRAINT TRIGGER {new} AFTER INSERT ON {table} DEFERRABLE FOR EACH ROW EXECUTE FUNCTION {trigger_function}
        CREATE TRIGGER {new} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh EXECUTE FUNCTION {trigger_function}
        2* ALTER TABLE {trigger.of} <<ENABLE|DISABLE|ENABLE REPLICA|ENABLE ALWAYS>> TRIGGER {trigger.name}
        ALTER TABLE {table} DISABLE TRIGGER <<ALL|USER>>
        2* ALTER TRIGGER {trigger.name} ON {trigger.of} RENAME TO {new}
        CREATE OR REPLACE TRIGGER {trigger.name} AFTER INSERT ON {trigger.of} FOR EACH ROW EXECUTE FUNCTION {trigger_function}
        DROP TRIGGER {trigger.name} ON {trigger.of}
    """,
    "rules and policies": """
        2* CREATE RULE {new} AS ON <<INSERT|UPDATE|DELETE>> TO {relation} DO <<INSTEAD|ALSO>> NOTHING
        CREATE RULE {new} AS ON INSERT TO {relation} WHERE EXISTS ({query}) DO ALSO NOTHING
        CREATE RULE {new} AS ON DELETE TO {relation} WHERE old.{relation.col} IS NULL DO ALSO SELECT * FROM {relation2}
        CREATE OR REPLACE RULE {rule.name} AS ON INSERT TO {rule.of} DO INSTEAD NOTHING
        CREATE RULE {new} AS ON UPDATE TO {view} DO INSTEAD UPDATE {table} SET {table.col} = NULL
        ALTER RULE {rule.name} ON {rule.of} RENAME TO {new}
        ALTER TABLE {rule.of} <<DISABLE|ENABLE|ENABLE ALWAYS>> RULE {rule.name}
        DROP RULE {rule.name} ON {rule.of}
        3* CREATE POLICY {new} ON {table} USING ({table.cond})
        CREATE POLICY {new} ON {table} AS RESTRICTIVE FOR UPDATE TO {grantee} USING ({table.cond}) WITH CHECK (EXISTS (SELECT FROM {relation}))
        CREATE POLICY {new} ON {table} USING (EXISTS ({query}))
        2* ALTER POLICY {policy.name} ON {policy.of} TO {grantee}
        ALTER POLICY {policy.name} ON {policy.of} USING (current_user = 'x')
        2* ALTER POLICY {policy.name} ON {policy.of} RENAME TO {new}
        DROP POLICY {policy.name} ON {policy.of}
    """,
    "statistics": """
        3* CREATE STATISTICS {q} ON {stored.col}, {stored.col2} FROM {stored}
        2* CREATE STATISTICS {q} (ndistinct) ON ({stored.expr}), {stored.col} FROM {stored}
        CREATE STATISTICS {q} ON ({stored.expr}) FROM {stored}
        ALTER STATISTICS {statistics} SET STATISTICS {num}
        2* ALTER STATISTICS {statistics} RENAME TO {new}
        ALTER STATISTICS {statistics} SET SCHEMA {schema}
        DROP STATISTICS {statistics}
    """,
}
