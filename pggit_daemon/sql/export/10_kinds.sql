-- Where a kind of object has its place in a script.

-- The place of a kind in a dump. What is unknown comes with the tables.
CREATE OR REPLACE FUNCTION pggit_daemon.kind_rank(type text) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE type
        WHEN 'schema' THEN 1 WHEN 'language' THEN 2 WHEN 'collation' THEN 3 WHEN 'transform' THEN 4
        WHEN 'extension' THEN 5 WHEN 'type' THEN 6 WHEN 'domain' THEN 6 WHEN 'cast' THEN 7 WHEN 'function' THEN 8
        WHEN 'procedure' THEN 8 WHEN 'aggregate' THEN 9 WHEN 'access method' THEN 10 WHEN 'operator' THEN 11
        WHEN 'operator family' THEN 12 WHEN 'operator class' THEN 12 WHEN 'conversion' THEN 13
        WHEN 'text search parser' THEN 14 WHEN 'text search template' THEN 15 WHEN 'text search dictionary' THEN 16
        WHEN 'text search configuration' THEN 17 WHEN 'foreign-data wrapper' THEN 18 WHEN 'server' THEN 19
        WHEN 'user mapping' THEN 20 WHEN 'table constraint' THEN 22 WHEN 'index' THEN 23
        WHEN 'statistics object' THEN 24 WHEN 'rule' THEN 25 WHEN 'trigger' THEN 26 WHEN 'policy' THEN 27
        WHEN 'publication' THEN 28 WHEN 'subscription' THEN 29 WHEN 'default acl' THEN 30 WHEN 'event trigger' THEN 31
        ELSE 21 END
$$;

-- Which part of the script an object belongs to: 1 as ordered, 2 foreign keys (they want the indexes of partitions
-- attached, which `later` does) and privileges on objects of pg_catalog (whose definition is only that), 3 event
-- triggers (they would fire on the rest).
CREATE OR REPLACE FUNCTION pggit_daemon.script_part(type text, definition text) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN type = 'event trigger' THEN 3
        WHEN definition ~ '^(GRANT|REVOKE|SET SESSION AUTHORIZATION) ' AND type <> 'schema'
          OR type = 'schema' AND definition ~ '^[^\n]* ON SCHEMA pg_catalog ' THEN 2
        WHEN type = 'table constraint'
         AND regexp_replace(definition, '"(""|[^"])*"', 'name', 'g')
             ~ '^ALTER (FOREIGN )?TABLE (ONLY )?\S+ ADD CONSTRAINT \S+ FOREIGN KEY ' THEN 2
        ELSE 1 END
$$;
