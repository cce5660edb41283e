"""Grants in all forms, default privileges, owners."""

FAMILIES = {
    "grants": """
        3* GRANT <<SELECT|INSERT, UPDATE|ALL>> ON {relation} TO {grantee}
        2* GRANT SELECT ({relation.some}) ON {relation} TO {grantee}
        GRANT UPDATE ({table.col}), INSERT ON {table}, {table2} TO {role} WITH GRANT OPTION
        GRANT SELECT ON {relation} TO {role} WITH GRANT OPTION
        2* REVOKE <<ALL|SELECT|GRANT OPTION FOR SELECT>> ON {relation} FROM {role}<<| CASCADE>>
        REVOKE SELECT ({relation.col}) ON {relation} FROM {role}
        2* GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {grantee}
        REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {grantee}
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {grantee}
        2* GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {schema} TO {role}
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC
        2* GRANT EXECUTE ON ROUTINE {routine} TO {role}<<| WITH GRANT OPTION>>
        REVOKE EXECUTE ON ROUTINE {routine} FROM PUBLIC
        GRANT <<USAGE|CREATE|ALL>> ON SCHEMA {schema} TO {grantee}
        REVOKE ALL ON SCHEMA {schema} FROM {grantee}
        GRANT USAGE ON SEQUENCE {sequence} TO {grantee}
        GRANT SELECT ON {sequence} TO {grantee}
        GRANT USAGE ON TYPE {type} TO {role}
        REVOKE USAGE ON TYPE {type} FROM PUBLIC
        SET LOCAL ROLE {role} ;; GRANT SELECT ON {relation} TO PUBLIC ;; RESET ROLE
        GRANT random_a TO "Random B"
        GRANT USAGE ON LANGUAGE <<sql|plpgsql>> TO {role}
        REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role} CASCADE
    """,
    "default privileges": """
        3* ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {grantee}
        ALTER DEFAULT PRIVILEGES GRANT <<EXECUTE ON FUNCTIONS|USAGE ON TYPES|USAGE ON SCHEMAS|ALL ON SEQUENCES>> TO {role}
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC
        ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT INSERT ON TABLES TO {grantee}
        2* ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE SELECT ON TABLES FROM {grantee}
        ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC
        ALTER DEFAULT PRIVILEGES REVOKE <<ALL ON FUNCTIONS|ALL ON TYPES|ALL ON SCHEMAS|ALL ON SEQUENCES>> FROM {role}
    """,
    "owners": """
        3* ALTER TABLE {relation} OWNER TO {role}
        ALTER TABLE {table} OWNER TO postgres
        ALTER VIEW {view} OWNER TO {role}
        ALTER SEQUENCE {sequence} OWNER TO {role}
        2* ALTER ROUTINE {routine} OWNER TO {role}
        2* ALTER TYPE {type} OWNER TO {role}
        ALTER SCHEMA {schema} OWNER TO {role}
        ALTER STATISTICS {statistics} OWNER TO {role}
        ALTER TABLE {partitioned} OWNER TO {role}
        SET LOCAL ROLE {role} ;; CREATE TABLE {q} ({columns}) ;; RESET ROLE
        SET LOCAL ROLE {role} ;; ALTER TABLE {table} ADD COLUMN {newcol} integer ;; RESET ROLE
        GRANT CREATE, USAGE ON SCHEMA {schema} TO {role}
    """,
}
