"""Types, domains, functions."""

FAMILIES = {
    "types": """
        3* CREATE TYPE {q} AS ENUM ('red', 'green')
        3* CREATE TYPE {q} AS (a {columntype}, b {columntype})
        CREATE TYPE {q} AS RANGE (subtype = <<integer|date|text>>)
        CREATE TYPE {q} AS RANGE (subtype = {domain})
        CREATE TYPE {q}
        3* ALTER TYPE {enum} ADD VALUE IF NOT EXISTS {newlabel}
        ALTER TYPE {enum} ADD VALUE {newlabel} BEFORE {enum.col}
        3* ALTER TYPE {enum} RENAME VALUE {enum.col} TO {newlabel}
        2* ALTER TYPE {composite} ADD ATTRIBUTE {newcol} {columntype} CASCADE
        2* ALTER TYPE {composite} DROP ATTRIBUTE {composite.col} CASCADE
        2* ALTER TYPE {composite} ALTER ATTRIBUTE {composite.col} TYPE {columntype} CASCADE
        3* ALTER TYPE {composite} RENAME ATTRIBUTE {composite.col} TO {newcol} CASCADE
        4* ALTER TYPE {type} RENAME TO {new}
        2* ALTER TYPE {type} SET SCHEMA {schema}
        DROP TYPE {type}<<| CASCADE>>
    """,
    "domains": """
        3* CREATE DOMAIN {q} AS <<integer|text|integer|numeric>> <<NOT NULL|CHECK (VALUE IS NOT NULL)|DEFAULT NULL|>>
        CREATE DOMAIN {q} AS {columntype}
        CREATE DOMAIN {q} AS {columntype} DEFAULT {domain.value}
        2* CREATE DOMAIN {q} AS integer CHECK ({domain.cond})
        2* ALTER DOMAIN {domain} ADD CHECK ({domain.cond})<<| NOT VALID>>
        ALTER DOMAIN {domain} ADD CONSTRAINT {new} CHECK (VALUE IS NOT NULL)
        ALTER DOMAIN {domain} SET DEFAULT {domain.value}
        ALTER DOMAIN {domain} DROP DEFAULT
        ALTER DOMAIN {domain} <<SET|DROP>> NOT NULL
        2* ALTER DOMAIN {domain_check.of} RENAME CONSTRAINT {domain_check.name} TO {new}
        ALTER DOMAIN {domain_check.of} DROP CONSTRAINT {domain_check.name}
        ALTER DOMAIN {domain_check.of} VALIDATE CONSTRAINT {domain_check.name}
        COMMENT ON CONSTRAINT {domain_check.name} ON DOMAIN {domain_check.of} IS {comment}
        2* ALTER DOMAIN {domain} RENAME TO {new}
        ALTER DOMAIN {domain} SET SCHEMA {schema}
        DROP DOMAIN {domain}<<| CASCADE>>
    """,
    "functions": """
        4* CREATE FUNCTION {q}({args}) RETURNS <<integer|text|boolean>> LANGUAGE sql <<IMMUTABLE|STABLE|>> AS 'SELECT NULL'
        2* CREATE OR REPLACE FUNCTION {q}({args}) RETURNS {columntype} LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
        3* CREATE FUNCTION {q}({args}) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM {relation} WHERE {relation.cond}; END
        2* CREATE FUNCTION {q}() RETURNS SETOF {relation} LANGUAGE sql BEGIN ATOMIC SELECT * FROM {relation}; END
        CREATE FUNCTION {q}({args}) RETURNS TABLE (a integer, b {columntype}) LANGUAGE sql AS 'SELECT 1, NULL'
        2* CREATE FUNCTION {q}({args}) RETURNS void LANGUAGE sql BEGIN ATOMIC {query}; END
        2* CREATE FUNCTION {q}(x {relation}) RETURNS <<integer|boolean>> LANGUAGE sql IMMUTABLE AS 'SELECT NULL'
        2* CREATE FUNCTION {q}(x integer) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN x > {num}
        CREATE FUNCTION {q}(x integer) RETURNS integer IMMUTABLE LANGUAGE sql RETURN x + 1
        CREATE FUNCTION {q}(x text) RETURNS <<text|boolean|integer>> IMMUTABLE LANGUAGE sql RETURN NULL
        CREATE FUNCTION {q}() RETURNS integer LANGUAGE sql AS 'SELECT 1'
        CREATE PROCEDURE {q}({args}) LANGUAGE sql AS ''
        CREATE PROCEDURE {q}() LANGUAGE sql BEGIN ATOMIC INSERT INTO {table} DEFAULT VALUES; END
        CREATE AGGREGATE {q}(integer) (sfunc = int4_sum, stype = bigint)
        CREATE OR REPLACE FUNCTION {q}(x integer DEFAULT {num}, VARIADIC y integer[] DEFAULT '{}') RETURNS integer LANGUAGE sql AS 'SELECT 1'
        3* ALTER ROUTINE {routine} RENAME TO {new}
        ALTER ROUTINE {routine} SET SCHEMA {schema}
        ALTER FUNCTION {function} <<STRICT|STABLE|IMMUTABLE|SECURITY DEFINER|COST 7|SET search_path = pg_catalog|RESET ALL>>
        ALTER FUNCTION {function} DEPENDS ON EXTENSION {extension}
        2* DROP ROUTINE {routine}<<| CASCADE>>
        DROP AGGREGATE {aggregate}
    """,
}
