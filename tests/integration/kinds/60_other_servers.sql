-- kind: foreign-data wrapper
-- dumped as: FOREIGN DATA WRAPPER
-- prepare
CREATE SCHEMA k_srv;
CREATE FOREIGN DATA WRAPPER fdw_gone;
-- created: foreign-data wrapper "fdw x"
CREATE FOREIGN DATA WRAPPER "fdw x" OPTIONS (host 'it''s', port '5');
-- created: foreign-data wrapper fdw_val
CREATE FOREIGN DATA WRAPPER fdw_val VALIDATOR postgresql_fdw_validator;
-- altered: foreign-data wrapper "fdw x"
ALTER FOREIGN DATA WRAPPER "fdw x" OPTIONS (SET host 'h', DROP port, ADD dbname 'd');
ALTER FOREIGN DATA WRAPPER "fdw x" OWNER TO CURRENT_USER;
-- altered: foreign-data wrapper fdw_val
ALTER FOREIGN DATA WRAPPER fdw_val NO VALIDATOR;
ALTER FOREIGN DATA WRAPPER fdw_val VALIDATOR postgresql_fdw_validator;
-- renamed: foreign-data wrapper fdw
ALTER FOREIGN DATA WRAPPER "fdw x" RENAME TO fdw;
-- dropped: foreign-data wrapper fdw_gone
DROP FOREIGN DATA WRAPPER fdw_gone;
-- granted: foreign-data wrapper fdw
GRANT USAGE ON FOREIGN DATA WRAPPER fdw TO kinds_writer;
GRANT USAGE ON FOREIGN DATA WRAPPER fdw TO kinds_reader WITH GRANT OPTION;
REVOKE USAGE ON FOREIGN DATA WRAPPER fdw FROM kinds_reader;
-- commented: foreign-data wrapper fdw
COMMENT ON FOREIGN DATA WRAPPER fdw IS 'w';

-- kind: foreign server
-- dumped as: FOREIGN SERVER
-- prepare
CREATE SERVER srv_gone FOREIGN DATA WRAPPER fdw;
-- created: server "srv x"
CREATE SERVER "srv x" TYPE 'x' VERSION '1.0' FOREIGN DATA WRAPPER fdw OPTIONS (host 'h', dbname 'it''s');
-- altered: server "srv x"
ALTER SERVER "srv x" VERSION '2.0' OPTIONS (SET host 'i', ADD port 'q', DROP dbname);
ALTER SERVER "srv x" OWNER TO kinds_writer;
-- renamed: server srv
ALTER SERVER "srv x" RENAME TO srv;
-- dropped: server srv_gone
DROP SERVER srv_gone;
-- granted: server srv
GRANT USAGE ON FOREIGN SERVER srv TO kinds_reader;
REVOKE USAGE ON FOREIGN SERVER srv FROM kinds_reader;
GRANT USAGE ON FOREIGN SERVER srv TO kinds_reader;
-- commented: server srv
COMMENT ON SERVER srv IS 's';

-- kind: user mapping
-- created: user mapping kinds_reader on server srv
CREATE USER MAPPING FOR kinds_reader SERVER srv OPTIONS ("user" 'bob');
-- created: user mapping public on server srv
CREATE USER MAPPING FOR PUBLIC SERVER srv;
-- altered: user mapping kinds_reader on server srv
ALTER USER MAPPING FOR kinds_reader SERVER srv OPTIONS (SET "user" 'ann', ADD "PASSWORD_REQUIRED" 'false');
-- renamed: user mapping kinds_reader on server srv y by server "srv y"
ALTER SERVER srv RENAME TO "srv y";
-- dropped: user mapping public on server srv y
DROP USER MAPPING FOR PUBLIC SERVER "srv y";
-- no granted: privileges are on its server
-- no commented: there is no COMMENT on it

-- kind: foreign table
-- prepare
CREATE FOREIGN TABLE k_srv.ft_gone (a int) SERVER "srv y";
CREATE TABLE k_srv.parts (id int) PARTITION BY RANGE (id);
-- created: foreign table k_srv.ft
CREATE FOREIGN TABLE k_srv.ft (id int OPTIONS (column_name 'ID x') NOT NULL, n text COLLATE "C" DEFAULT 'x', CHECK (id > 0)) SERVER "srv y" OPTIONS (schema_name 's', table_name 't');
-- created: foreign table k_srv.ft_part
CREATE FOREIGN TABLE k_srv.ft_part PARTITION OF k_srv.parts FOR VALUES FROM (1) TO (10) SERVER "srv y";
-- altered: foreign table k_srv.ft
ALTER FOREIGN TABLE k_srv.ft OPTIONS (SET schema_name 't', DROP table_name);
ALTER FOREIGN TABLE k_srv.ft ALTER n OPTIONS (ADD x 'y'), ADD COLUMN z int, ALTER id SET STATISTICS 5;
ALTER FOREIGN TABLE k_srv.ft ADD CONSTRAINT more CHECK (z > 0) NOT VALID;
ALTER FOREIGN TABLE k_srv.ft OWNER TO kinds_writer;
-- renamed: foreign table k_srv."F t"
ALTER FOREIGN TABLE k_srv.ft RENAME TO "F t";
ALTER FOREIGN TABLE k_srv."F t" RENAME COLUMN z TO "z z";
-- dropped: foreign table k_srv.ft_gone
DROP FOREIGN TABLE k_srv.ft_gone;
-- granted: foreign table k_srv."F t"
GRANT SELECT ON k_srv."F t" TO kinds_reader;
GRANT UPDATE (id) ON k_srv."F t" TO kinds_reader;
-- commented: foreign table k_srv."F t"
COMMENT ON FOREIGN TABLE k_srv."F t" IS 'ft';
COMMENT ON COLUMN k_srv."F t".id IS 'id';

-- kind: publication
-- dumped as: PUBLICATION
-- prepare
CREATE TABLE k_srv.t (id int PRIMARY KEY, n text, g int GENERATED ALWAYS AS (id) STORED);
CREATE PUBLICATION pub_gone;
-- created: publication "pub x"
CREATE PUBLICATION "pub x" WITH (publish = 'insert, update', publish_via_partition_root);
-- created: publication pub_all
CREATE PUBLICATION pub_all FOR ALL TABLES;
-- created (18): publication pub_gen
CREATE PUBLICATION pub_gen WITH (publish_generated_columns = stored);
-- altered: publication "pub x"
ALTER PUBLICATION "pub x" SET (publish = 'delete, truncate', publish_via_partition_root = false);
ALTER PUBLICATION "pub x" OWNER TO CURRENT_USER;
-- renamed: publication pub
ALTER PUBLICATION "pub x" RENAME TO pub;
-- dropped: publication pub_gone
DROP PUBLICATION pub_gone;
-- no granted: there are no privileges on it
-- commented: publication pub
COMMENT ON PUBLICATION pub IS 'p';

-- kind: table of a publication
-- dumped as: PUBLICATION TABLE
-- prepare
CREATE TABLE k_srv."u v" (id int PRIMARY KEY);
-- created: publication pub
ALTER PUBLICATION pub ADD TABLE k_srv.t, k_srv."u v";
-- altered: publication pub
ALTER PUBLICATION pub SET TABLE k_srv."u v", k_srv.parts;
ALTER PUBLICATION pub ADD TABLE ONLY k_srv.t;
-- created (15): publication pub
ALTER PUBLICATION pub SET TABLE k_srv.t (id, n) WHERE (id > 5 AND n IS NOT NULL), k_srv."u v";
-- renamed: publication pub by table k_srv.u
ALTER TABLE k_srv."u v" RENAME TO u;
-- dropped: indirect publication pub
ALTER PUBLICATION pub DROP TABLE k_srv.u;
-- no granted: there are no privileges on it
-- no commented: the publication and the table have comments, their bond has none

-- kind: schema of a publication
-- dumped as: PUBLICATION TABLES IN SCHEMA
-- prepare
CREATE SCHEMA k_srv2;
CREATE SCHEMA k_srv3;
CREATE PUBLICATION pub_schemas;
-- created (15): publication pub_schemas
ALTER PUBLICATION pub_schemas ADD TABLES IN SCHEMA k_srv2, k_srv3;
-- altered (15): indirect publication pub_schemas
ALTER PUBLICATION pub_schemas SET TABLES IN SCHEMA k_srv2;
-- altered (15): publication pub_schemas
ALTER PUBLICATION pub_schemas ADD TABLES IN SCHEMA k_srv3;
-- renamed (15): publication pub_schemas by schema "k srv2"
ALTER SCHEMA k_srv2 RENAME TO "k srv2";
-- dropped (15): indirect publication pub_schemas
ALTER PUBLICATION pub_schemas DROP TABLES IN SCHEMA k_srv3;
-- no granted: there are no privileges on it
-- no commented: the publication and the schema have comments, their bond has none

-- kind: subscription
-- dumped as: SUBSCRIPTION, SUBSCRIPTION TABLE
-- prepare
CREATE SUBSCRIPTION sub_gone CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);
-- created: subscription "sub x"
CREATE SUBSCRIPTION "sub x" CONNECTION 'host=nowhere dbname=x' PUBLICATION p1, "p 2" WITH (connect = false, slot_name = NONE, binary = true, synchronous_commit = local);
-- created: subscription sub_slot
CREATE SUBSCRIPTION sub_slot CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'slot_of', streaming = on);
-- created (15): subscription sub_15
CREATE SUBSCRIPTION sub_15 CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE, disable_on_error = true, two_phase = true);
-- created (16): subscription sub_16
CREATE SUBSCRIPTION sub_16 CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE, run_as_owner = true, password_required = false, origin = none, streaming = parallel);
-- created (17): subscription sub_17
CREATE SUBSCRIPTION sub_17 CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'failing', failover = true);
-- altered: subscription "sub x"
ALTER SUBSCRIPTION "sub x" SET (slot_name = NONE, binary = false);
ALTER SUBSCRIPTION "sub x" CONNECTION 'host=elsewhere';
ALTER SUBSCRIPTION "sub x" SET PUBLICATION p3 WITH (refresh = false);
-- renamed: subscription sub
ALTER SUBSCRIPTION "sub x" RENAME TO sub;
-- dropped: subscription sub_gone
DROP SUBSCRIPTION sub_gone;
-- no granted: there are no privileges on it
-- commented: subscription sub
COMMENT ON SUBSCRIPTION sub IS 's';
