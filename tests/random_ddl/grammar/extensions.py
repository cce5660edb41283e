"""Extensions: made, moved, dropped; members that change sides."""

FAMILIES = {
    "extensions": """
        4* CREATE EXTENSION <<hstore|citext>>
        CREATE EXTENSION IF NOT EXISTS <<hstore|citext>> SCHEMA {schema}
        3* ALTER EXTENSION {extension} SET SCHEMA {schema}
        2* DROP EXTENSION {extension} CASCADE
        ALTER EXTENSION {extension} ADD FUNCTION {function}
        ALTER EXTENSION {extension} ADD TABLE {table}
        ALTER EXTENSION {extension} ADD VIEW {view}
        ALTER EXTENSION {extension} ADD TYPE {type}
        ALTER EXTENSION {extension} ADD SEQUENCE {sequence}
        ALTER EXTENSION {extension} ADD FUNCTION {function} ;; ALTER EXTENSION {extension} DROP FUNCTION {function}
        2* ALTER EXTENSION {extension} ADD TABLE {table} ;; ALTER EXTENSION {extension} DROP TABLE {table}
        ALTER EXTENSION <<hstore|citext>> DROP FUNCTION {function}
        2* ALTER EXTENSION <<hstore|citext>> DROP TABLE {q}
        ALTER EXTENSION <<hstore|citext>> DROP VIEW {q}
        ALTER EXTENSION <<hstore|citext>> DROP TYPE {q}
        ALTER EXTENSION hstore DROP FUNCTION {schema}.tconvert(text, text)
        ALTER TABLE {table} ADD COLUMN {newcol} {member_type}
        ALTER TABLE {table} ALTER {table.col} TYPE {member_type} USING NULL
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}
    """,
}
