-- kind: schema
-- dumped as: SCHEMA
-- created: schema "K s"
CREATE SCHEMA "K s";
-- altered: schema "K s"
ALTER SCHEMA "K s" OWNER TO kinds_writer;
ALTER SCHEMA "K s" OWNER TO CURRENT_USER;
-- renamed: schema k_schema
ALTER SCHEMA "K s" RENAME TO k_schema;
-- prepare
CREATE SCHEMA k_gone;
-- dropped: schema k_gone
DROP SCHEMA k_gone;
-- granted: schema k_schema
GRANT USAGE ON SCHEMA k_schema TO kinds_reader;
GRANT CREATE ON SCHEMA k_schema TO kinds_writer WITH GRANT OPTION;
REVOKE GRANT OPTION FOR CREATE ON SCHEMA k_schema FROM kinds_writer;
REVOKE USAGE ON SCHEMA k_schema FROM kinds_reader;
-- commented: schema k_schema
COMMENT ON SCHEMA k_schema IS 'it''s';
COMMENT ON SCHEMA k_schema IS NULL;
COMMENT ON SCHEMA k_schema IS 'again';

-- kind: schema public
-- prepare
DROP SCHEMA public;
-- created: schema public
CREATE SCHEMA public;
-- altered: schema public
ALTER SCHEMA public OWNER TO kinds_writer;
-- renamed: schema k_was_public
ALTER SCHEMA public RENAME TO k_was_public;
-- renamed: schema public
ALTER SCHEMA k_was_public RENAME TO public;
-- dropped: schema public
DROP SCHEMA public;
-- prepare
CREATE SCHEMA public;
-- granted: schema public
GRANT USAGE ON SCHEMA public TO PUBLIC;
GRANT CREATE ON SCHEMA public TO kinds_reader;
-- commented: schema public
COMMENT ON SCHEMA public IS 'ours';

-- kind: extension
-- dumped as: EXTENSION
-- prepare
CREATE SCHEMA k_ext;
-- created: extension hstore
CREATE EXTENSION hstore WITH SCHEMA k_ext VERSION '1.4';
-- altered: extension hstore
ALTER EXTENSION hstore UPDATE TO '1.8';
ALTER EXTENSION hstore SET SCHEMA k_schema;
-- no renamed: an extension keeps its name
-- prepare
CREATE EXTENSION citext WITH SCHEMA k_ext;
CREATE FUNCTION k_ext.joins() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- dropped: extension citext
DROP EXTENSION citext;
-- no granted: its members have privileges (the next row), it has none itself
-- commented: extension hstore
COMMENT ON EXTENSION hstore IS 'mine';

-- kind: member of an extension
-- no created: the extension's script makes it; a database does not say it
-- prepare
CREATE FUNCTION k_ext.joins(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE k_ext.member (a int, b int);
CREATE SEQUENCE k_ext.member_seq;
-- altered: drop function k_ext.joins(integer)
ALTER EXTENSION hstore ADD FUNCTION k_ext.joins(int);
-- altered: function k_ext.joins(integer) by extension hstore
ALTER EXTENSION hstore DROP FUNCTION k_ext.joins(int);
-- no renamed: the extension's script says the name; a database does not
-- no dropped: it goes with its extension
-- prepare
CREATE EXTENSION pg_stat_statements WITH SCHEMA k_ext;
-- granted: extension hstore
GRANT EXECUTE ON FUNCTION k_schema.hstore(text, text) TO kinds_reader;
REVOKE USAGE ON TYPE k_schema.hstore FROM PUBLIC;
-- granted: extension pg_stat_statements
GRANT ALL ON k_ext.pg_stat_statements TO kinds_reader;
REVOKE SELECT ON k_ext.pg_stat_statements FROM PUBLIC;
GRANT SELECT (query) ON k_ext.pg_stat_statements TO kinds_writer;
GRANT SELECT (calls) ON k_ext.pg_stat_statements TO kinds_reader WITH GRANT OPTION;
REVOKE SELECT (calls) ON k_ext.pg_stat_statements FROM kinds_reader;
-- no commented: the extension's script makes it; a database does not say it

-- kind: language
-- dumped as: PROCEDURAL LANGUAGE
-- created: language "pl k"
CREATE TRUSTED LANGUAGE "pl k" HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
-- altered: language "pl k"
CREATE OR REPLACE TRUSTED LANGUAGE "pl k" HANDLER plpgsql_call_handler VALIDATOR plpgsql_validator;
ALTER LANGUAGE "pl k" OWNER TO CURRENT_USER;
-- prepare
CREATE FUNCTION k_schema.in_k() RETURNS int LANGUAGE "pl k" AS 'BEGIN RETURN 1; END';
-- renamed: language pl_k
ALTER LANGUAGE "pl k" RENAME TO pl_k;
-- prepare
CREATE LANGUAGE pl_gone HANDLER plpgsql_call_handler;
-- dropped: language pl_gone
DROP LANGUAGE pl_gone;
-- granted: language pl_k
REVOKE USAGE ON LANGUAGE pl_k FROM PUBLIC;
GRANT USAGE ON LANGUAGE pl_k TO kinds_reader;
-- commented: language pl_k
COMMENT ON LANGUAGE pl_k IS 'l';

-- kind: transform
-- dumped as: TRANSFORM
-- prepare
CREATE TYPE k_schema.tr AS (x int);
CREATE TYPE k_schema.tr_gone AS (x int);
CREATE FUNCTION k_schema.from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'int4_accum';
CREATE FUNCTION k_schema.to_sql(internal) RETURNS k_schema.tr LANGUAGE internal IMMUTABLE AS 'int4_accum';
CREATE TRANSFORM FOR k_schema.tr_gone LANGUAGE pl_k (FROM SQL WITH FUNCTION k_schema.from_sql(internal));
-- created: transform for k_schema.tr language pl_k
CREATE TRANSFORM FOR k_schema.tr LANGUAGE pl_k (FROM SQL WITH FUNCTION k_schema.from_sql(internal), TO SQL WITH FUNCTION k_schema.to_sql(internal));
-- altered: transform for k_schema.tr language pl_k
CREATE OR REPLACE TRANSFORM FOR k_schema.tr LANGUAGE pl_k (TO SQL WITH FUNCTION k_schema.to_sql(internal));
-- renamed: transform for k_schema.tr language plk by language plk
ALTER LANGUAGE pl_k RENAME TO plk;
-- dropped: transform for k_schema.tr_gone language plk
DROP TRANSFORM FOR k_schema.tr_gone LANGUAGE plk;
-- no granted: there are no privileges on it
-- commented: transform for k_schema.tr language plk
COMMENT ON TRANSFORM FOR k_schema.tr LANGUAGE plk IS 'tr';

-- kind: default privileges
-- dumped as: DEFAULT ACL
-- created: default acl for role kinds_writer in schema k_schema on tables
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer IN SCHEMA k_schema GRANT SELECT ON TABLES TO kinds_reader;
-- altered: default acl for role kinds_writer in schema k_schema on tables
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer IN SCHEMA k_schema GRANT INSERT ON TABLES TO kinds_reader WITH GRANT OPTION;
-- created: default acl for role kinds_writer on functions
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
-- created: default acl for role kinds_writer on sequences
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer GRANT ALL ON SEQUENCES TO kinds_reader;
-- created: default acl for role kinds_writer on types
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer REVOKE USAGE ON TYPES FROM PUBLIC;
-- created: default acl for role kinds_writer on schemas
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer GRANT USAGE ON SCHEMAS TO kinds_reader;
-- created (18): default acl for role kinds_writer on large objects
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer GRANT SELECT ON LARGE OBJECTS TO kinds_reader;
-- renamed: default acl for role kinds_writer in schema k_sch on tables by schema k_sch
ALTER SCHEMA k_schema RENAME TO k_sch;
-- dropped: default acl for role kinds_writer on sequences
ALTER DEFAULT PRIVILEGES FOR ROLE kinds_writer REVOKE ALL ON SEQUENCES FROM kinds_reader;
-- no granted: they are privileges themselves
-- no commented: there is no COMMENT on it

-- kind: privileges on objects of pg_catalog
-- no created: every new database has the object; its privileges are the object's statement here
-- no altered: only a superuser can by editing the catalog; pg_dump does not write it
-- no renamed: only a superuser can by editing the catalog; pg_dump does not write it
-- no dropped: the server needs them
-- granted: function pg_catalog.pg_sleep(double precision)
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) TO kinds_reader;
-- granted: function pg_catalog.pg_ls_waldir()
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO kinds_reader WITH GRANT OPTION;
-- granted: aggregate pg_catalog.sum(bigint)
REVOKE EXECUTE ON FUNCTION pg_catalog.sum(bigint) FROM PUBLIC;
-- granted: table pg_catalog.pg_authid
GRANT SELECT ON pg_catalog.pg_authid TO kinds_reader;
GRANT SELECT (rolname), UPDATE (rolname) ON pg_catalog.pg_authid TO kinds_writer;
-- granted: table pg_catalog.pg_class
REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC;
-- granted: view pg_catalog.pg_user
REVOKE SELECT ON pg_catalog.pg_user FROM PUBLIC;
-- granted: table pg_catalog.pg_subscription
GRANT SELECT (subconninfo) ON pg_catalog.pg_subscription TO kinds_reader;
-- granted: type pg_catalog.xml
REVOKE USAGE ON TYPE pg_catalog.xml FROM PUBLIC;
-- granted: language sql
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
GRANT USAGE ON LANGUAGE sql TO kinds_writer;
-- granted: language plpgsql
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
-- granted: schema pg_catalog
GRANT CREATE ON SCHEMA pg_catalog TO kinds_writer;
-- prepare
REVOKE EXECUTE ON FUNCTION pg_catalog.random() FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_statistic TO kinds_reader;
GRANT SELECT (stainherit) ON pg_catalog.pg_statistic TO kinds_writer;
-- granted: drop function pg_catalog.random()
GRANT EXECUTE ON FUNCTION pg_catalog.random() TO PUBLIC;
-- granted: table pg_catalog.pg_statistic
REVOKE SELECT ON pg_catalog.pg_statistic FROM kinds_reader;
-- granted: drop table pg_catalog.pg_statistic
REVOKE SELECT (stainherit) ON pg_catalog.pg_statistic FROM kinds_writer;
-- no commented: pg_dump does not write it; the server's own comments are part of the version
