"""Renames, and names that change hands within a transaction."""

FAMILIES = {
    "renames": """
        4* ALTER TABLE {table} RENAME TO {new}
        4* ALTER TABLE {table} RENAME COLUMN {table.col} TO {newcol}
        2* ALTER VIEW {view} RENAME TO {new}
        ALTER MATERIALIZED VIEW {matview} RENAME TO {new}
        2* ALTER TYPE {type} RENAME TO {new}
        ALTER TABLE {relation} RENAME TO {new}
        2* ALTER SCHEMA {own_schema} RENAME TO {newschema}
        2* ALTER ROUTINE {routine} RENAME TO {new}
        ALTER INDEX {any_index} RENAME TO {new}
        ALTER INDEX {key.schema}.{key.name} RENAME TO {new}
        ALTER TABLE {constraint.of} RENAME CONSTRAINT {constraint.name} TO {new}
        ALTER SEQUENCE {sequence} RENAME TO {new}
    """,
    "swaps": """
        2* ALTER TABLE {table} RENAME TO swap_a ;; ALTER TABLE {table2} RENAME TO {table.name} ;; ALTER TABLE {table2.schema}.{table.name} SET SCHEMA {table.schema} ;; ALTER TABLE {table.schema}.swap_a RENAME TO {table2.name}
        2* ALTER TABLE {table} RENAME {table.col} TO swap_a ;; ALTER TABLE {table} RENAME {table.col2} TO {table.col} ;; ALTER TABLE {table} RENAME swap_a TO {table.col2}
        ALTER VIEW {view} RENAME TO swap_a ;; ALTER VIEW {view2} RENAME TO {view.name} ;; ALTER VIEW {view.schema}.swap_a RENAME TO {view2.name}
        ALTER SCHEMA {own_schema} RENAME TO swap_a ;; ALTER SCHEMA {schema2} RENAME TO {own_schema} ;; ALTER SCHEMA swap_a RENAME TO {schema2}
        ALTER TYPE {enum} RENAME TO swap_a ;; ALTER TYPE {enum2} RENAME TO {enum.name} ;; ALTER TYPE {enum.schema}.swap_a RENAME TO {enum2.name}
        ALTER TYPE {enum} RENAME VALUE {enum.col} TO 'swap' ;; ALTER TYPE {enum} RENAME VALUE {enum.col2} TO {enum.col} ;; ALTER TYPE {enum} RENAME VALUE 'swap' TO {enum.col2}
        ALTER INDEX {any_index} RENAME TO swap_a ;; ALTER INDEX {any_index2} RENAME TO {any_index.name} ;; ALTER INDEX {any_index.schema}.swap_a RENAME TO {any_index2.name}
        ALTER TABLE {constraint.of} RENAME CONSTRAINT {constraint.name} TO swap_a ;; ALTER TABLE {constraint.of} RENAME CONSTRAINT swap_a TO {new}
        ALTER TABLE {table} RENAME TO swap_a ;; CREATE TABLE {table} (LIKE {table.schema}.swap_a INCLUDING ALL) ;; DROP TABLE {table.schema}.swap_a CASCADE
        ALTER TABLE {table} RENAME TO swap_a ;; CREATE VIEW {table} AS SELECT * FROM {table.schema}.swap_a
        ALTER TABLE {table} SET SCHEMA {schema} ;; ALTER TABLE {schema}.{table.name} RENAME TO {new}
    """,
}
