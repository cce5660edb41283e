CREATE SCHEMA app; CREATE SCHEMA "s 2";
CREATE TABLE app.t (id int PRIMARY KEY, n text); CREATE TABLE app."u v" (id int PRIMARY KEY);
CREATE PUBLICATION p1 FOR TABLE app.t (id, n) WHERE (id > 5), app."u v" WITH (publish = 'insert, update', publish_via_partition_root);
CREATE PUBLICATION "p 2" FOR TABLES IN SCHEMA app, "s 2";
CREATE PUBLICATION p3 FOR ALL TABLES; CREATE PUBLICATION p4;
COMMENT ON PUBLICATION p1 IS 'p'; GRANT CREATE ON DATABASE :"DBNAME" TO writer; ALTER PUBLICATION p4 OWNER TO writer;
CREATE SUBSCRIPTION s1 CONNECTION 'host=nowhere dbname=x' PUBLICATION p1, "p 2" WITH (connect = false, slot_name = 's1_slot', binary = true, streaming = on, disable_on_error = true, synchronous_commit = local);
CREATE SUBSCRIPTION "s 2" CONNECTION 'host=nowhere' PUBLICATION p1 WITH (connect = false, slot_name = NONE);
COMMENT ON SUBSCRIPTION s1 IS 's';
