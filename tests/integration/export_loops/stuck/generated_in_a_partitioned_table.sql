-- stuck: function f(t), table t
-- the script of pg_dump does not restore
CREATE TABLE t (a int) PARTITION BY RANGE (a);
CREATE FUNCTION f(t) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (f(NULL::t)) STORED;
