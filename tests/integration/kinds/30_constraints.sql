-- kind: NOT NULL
-- prepare
CREATE SCHEMA k_con;
CREATE TABLE k_con.nn (a int, b int, c int, d int);
-- created: table k_con.nn
ALTER TABLE k_con.nn ALTER a SET NOT NULL;
-- created (18): table k_con.nn
ALTER TABLE k_con.nn ADD CONSTRAINT "nn b" NOT NULL b NO INHERIT;
ALTER TABLE k_con.nn ADD CONSTRAINT nn_c NOT NULL c NOT VALID;
-- altered (18): table k_con.nn
ALTER TABLE k_con.nn VALIDATE CONSTRAINT nn_c;
ALTER TABLE k_con.nn ALTER CONSTRAINT "nn b" INHERIT;
-- renamed (18): table k_con.nn by table k_con.nn
ALTER TABLE k_con.nn RENAME CONSTRAINT "nn b" TO nn_b;
-- dropped: table k_con.nn by table k_con.nn
ALTER TABLE k_con.nn ALTER a DROP NOT NULL;
-- no granted: privileges are on tables and columns
-- commented (18): table k_con.nn
COMMENT ON CONSTRAINT nn_c ON k_con.nn IS 'nn';

-- kind: primary key
-- dumped as: CONSTRAINT
-- prepare
CREATE TABLE k_con.pk (a int NOT NULL, b text, c int NOT NULL, during tsrange NOT NULL);
CREATE TABLE k_con.pk_gone (a int PRIMARY KEY);
CREATE EXTENSION btree_gist WITH SCHEMA k_con;
-- created: table constraint "pk of" on k_con.pk by table k_con.pk
ALTER TABLE k_con.pk ADD CONSTRAINT "pk of" PRIMARY KEY (a) INCLUDE (b) WITH (fillfactor = 60) DEFERRABLE INITIALLY DEFERRED;
-- prepare
CREATE TABLE k_con.period (a int, during tsrange);
-- created (18): table constraint period_pkey on k_con.period by table k_con.period
ALTER TABLE k_con.period ADD PRIMARY KEY (a, during WITHOUT OVERLAPS);
-- altered: table constraint "pk of" on k_con.pk
ALTER INDEX k_con."pk of" SET (fillfactor = 50);
-- renamed: table constraint pk_of on k_con.pk
ALTER TABLE k_con.pk RENAME CONSTRAINT "pk of" TO pk_of;
-- dropped: table constraint pk_gone_pkey on k_con.pk_gone by table k_con.pk_gone
ALTER TABLE k_con.pk_gone DROP CONSTRAINT pk_gone_pkey;
-- no granted: privileges are on tables and columns
-- commented: table constraint pk_of on k_con.pk
COMMENT ON CONSTRAINT pk_of ON k_con.pk IS 'key';
COMMENT ON INDEX k_con.pk_of IS 'its index';

-- kind: unique constraint
-- prepare
CREATE TABLE k_con.un (a int, b int, c int NOT NULL, CONSTRAINT gone UNIQUE (b));
CREATE UNIQUE INDEX becomes ON k_con.un (c);
-- created: table constraint un_a on k_con.un by table k_con.un
ALTER TABLE k_con.un ADD CONSTRAINT un_a UNIQUE (a, b) DEFERRABLE;
-- created: table constraint became on k_con.un by table k_con.un
ALTER TABLE k_con.un ADD CONSTRAINT became UNIQUE USING INDEX becomes;
-- created (15): table constraint un_nulls on k_con.un by table k_con.un
ALTER TABLE k_con.un ADD CONSTRAINT un_nulls UNIQUE NULLS NOT DISTINCT (b);
-- altered: table constraint became on k_con.un by table k_con.un
ALTER TABLE k_con.un REPLICA IDENTITY USING INDEX became;
ALTER TABLE k_con.un CLUSTER ON became;
ALTER TABLE k_con.un SET WITHOUT CLUSTER;
-- renamed: table constraint "un a" on k_con.un
ALTER INDEX k_con.un_a RENAME TO "un a";
-- dropped: table constraint gone on k_con.un by table k_con.un
ALTER TABLE k_con.un DROP CONSTRAINT gone;
-- no granted: privileges are on tables and columns
-- commented: table constraint "un a" on k_con.un
COMMENT ON CONSTRAINT "un a" ON k_con.un IS 'u';

-- kind: exclusion constraint
-- prepare
CREATE TABLE k_con.excl (a int, r int4range, CONSTRAINT gone EXCLUDE USING gist (r WITH &&));
-- created: table constraint ex on k_con.excl by table k_con.excl
ALTER TABLE k_con.excl ADD CONSTRAINT ex EXCLUDE USING gist (a WITH =, r WITH &&) WITH (fillfactor = 80) WHERE (a > 3) DEFERRABLE;
-- altered: table constraint ex on k_con.excl
ALTER INDEX k_con.ex SET (fillfactor = 70);
-- renamed: table constraint "e x" on k_con.excl
ALTER TABLE k_con.excl RENAME CONSTRAINT ex TO "e x";
-- dropped: table constraint gone on k_con.excl by table k_con.excl
ALTER TABLE k_con.excl DROP CONSTRAINT gone;
-- no granted: privileges are on tables and columns
-- commented: table constraint "e x" on k_con.excl
COMMENT ON CONSTRAINT "e x" ON k_con.excl IS 'x';

-- kind: check constraint
-- prepare
CREATE TABLE k_con.ck (a int, b int, CONSTRAINT gone CHECK (a <> 7));
CREATE TABLE k_con.ck_child () INHERITS (k_con.ck);
-- created: table constraint ck on k_con.ck by table k_con.ck
ALTER TABLE k_con.ck ADD CONSTRAINT ck CHECK (a > 0 AND b IS NOT NULL) NOT VALID;
-- created: table constraint ck_only on k_con.ck by table k_con.ck
ALTER TABLE k_con.ck ADD CONSTRAINT ck_only CHECK (b > 0) NO INHERIT;
-- created (18): table constraint ck_not on k_con.ck by table k_con.ck
ALTER TABLE k_con.ck ADD CONSTRAINT ck_not CHECK (b > 5) NOT ENFORCED;
-- altered: table constraint ck on k_con.ck by table k_con.ck
ALTER TABLE k_con.ck VALIDATE CONSTRAINT ck;
-- renamed: table constraint "c k" on k_con.ck
ALTER TABLE k_con.ck RENAME CONSTRAINT ck TO "c k";
-- dropped: table constraint gone on k_con.ck by table k_con.ck
ALTER TABLE k_con.ck DROP CONSTRAINT gone;
-- no granted: privileges are on tables and columns
-- commented: table constraint "c k" on k_con.ck
COMMENT ON CONSTRAINT "c k" ON k_con.ck IS 'c';

-- kind: foreign key
-- dumped as: FK CONSTRAINT
-- prepare
CREATE TABLE k_con.target (id int PRIMARY KEY, x int UNIQUE);
CREATE TABLE k_con.fk (a int, b int, c int, CONSTRAINT gone FOREIGN KEY (c) REFERENCES k_con.target);
CREATE TABLE k_con.fk_parts (a int) PARTITION BY LIST (a);
CREATE TABLE k_con.fk_p1 PARTITION OF k_con.fk_parts FOR VALUES IN (1);
-- created: table constraint fk on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES k_con.target MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE;
-- created: table constraint fk_late on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ADD CONSTRAINT fk_late FOREIGN KEY (b) REFERENCES k_con.target (x) NOT VALID;
-- created: table constraint fk_parts_a_fkey on k_con.fk_parts by table k_con.fk_parts
ALTER TABLE k_con.fk_parts ADD FOREIGN KEY (a) REFERENCES k_con.target;
-- created (15): table constraint fk_columns on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ADD CONSTRAINT fk_columns FOREIGN KEY (c) REFERENCES k_con.target ON DELETE SET DEFAULT (c);
-- created (18): table constraint fk_not on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ADD CONSTRAINT fk_not FOREIGN KEY (b) REFERENCES k_con.target NOT ENFORCED;
-- prepare
CREATE TABLE k_con.fk_period (a int, during tsrange);
-- created (18): table constraint fk_period_a_during_fkey on k_con.fk_period by table k_con.fk_period
ALTER TABLE k_con.fk_period ADD FOREIGN KEY (a, PERIOD during) REFERENCES k_con.period (a, PERIOD during);
-- altered: table constraint fk on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ALTER CONSTRAINT fk NOT DEFERRABLE;
ALTER TABLE k_con.fk ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED;
-- altered: table constraint fk_late on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk VALIDATE CONSTRAINT fk_late;
-- altered (18): table constraint fk on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk ALTER CONSTRAINT fk NOT ENFORCED;
ALTER TABLE k_con.fk ALTER CONSTRAINT fk ENFORCED;
-- renamed: table constraint "f k" on k_con.fk
ALTER TABLE k_con.fk RENAME CONSTRAINT fk TO "f k";
-- dropped: table constraint gone on k_con.fk by table k_con.fk
ALTER TABLE k_con.fk DROP CONSTRAINT gone;
-- no granted: privileges are on tables and columns
-- commented: table constraint "f k" on k_con.fk
COMMENT ON CONSTRAINT "f k" ON k_con.fk IS 'f';

-- kind: index
-- dumped as: INDEX
-- prepare
CREATE TABLE k_con.ix (a int, b text, c jsonb, during tsrange);
CREATE INDEX ix_gone ON k_con.ix (a);
CREATE INDEX ix_gone_2 ON k_con.ix (a);
-- created: index k_con."ix 1"
CREATE INDEX "ix 1" ON k_con.ix (a DESC NULLS LAST, b COLLATE "C" text_pattern_ops) INCLUDE (c) WITH (fillfactor = 70) WHERE a > 1;
-- created: index k_con.ix_gin
CREATE INDEX ix_gin ON k_con.ix USING gin (c jsonb_path_ops) WITH (fastupdate = off);
-- created: index k_con.ix_expr
CREATE UNIQUE INDEX ix_expr ON k_con.ix ((a + 1), lower(b));
-- created: index k_con.ix_brin
CREATE INDEX ix_brin ON k_con.ix USING brin (a int4_minmax_multi_ops (values_per_range = 16)) WITH (pages_per_range = 8);
-- created: index k_con.ix_conc
CREATE INDEX CONCURRENTLY ix_conc ON k_con.ix USING hash (b);
-- created: index k_con.ix_gist
CREATE INDEX ix_gist ON k_con.ix USING gist (during);
-- created (15): index k_con.ix_nulls
CREATE UNIQUE INDEX ix_nulls ON k_con.ix (a) NULLS NOT DISTINCT;
-- altered: index k_con."ix 1"
ALTER INDEX k_con."ix 1" SET (fillfactor = 60);
ALTER INDEX k_con."ix 1" RESET (fillfactor);
ALTER INDEX k_con."ix 1" SET TABLESPACE pg_default;
-- altered: index k_con.ix_expr
ALTER INDEX k_con.ix_expr ALTER COLUMN 1 SET STATISTICS 300;
ALTER INDEX k_con.ix_expr DEPENDS ON EXTENSION btree_gist;
ALTER INDEX k_con.ix_expr NO DEPENDS ON EXTENSION btree_gist;
ALTER INDEX k_con.ix_expr DEPENDS ON EXTENSION btree_gist;
-- altered: index k_con.ix_expr by table k_con.ix
ALTER TABLE k_con.ix CLUSTER ON ix_expr;
-- prepare
ALTER TABLE k_con.ix ALTER a SET NOT NULL;
CREATE UNIQUE INDEX ix_identity ON k_con.ix (a);
-- altered: index k_con.ix_identity by table k_con.ix
ALTER TABLE k_con.ix REPLICA IDENTITY USING INDEX ix_identity;
-- renamed: index k_con.ix_one
ALTER INDEX k_con."ix 1" RENAME TO ix_one;
-- dropped: index k_con.ix_gone
DROP INDEX k_con.ix_gone;
-- dropped: index k_con.ix_gone_2
DROP INDEX CONCURRENTLY k_con.ix_gone_2;
-- no granted: privileges are on tables and columns
-- commented: index k_con.ix_one
COMMENT ON INDEX k_con.ix_one IS 'one';

-- kind: index of a partitioned table
-- dumped as: INDEX ATTACH
-- prepare
CREATE TABLE k_con.parts (a int NOT NULL, b text) PARTITION BY RANGE (a);
CREATE TABLE k_con.parts_1 PARTITION OF k_con.parts FOR VALUES FROM (1) TO (10);
CREATE TABLE k_con.parts_2 PARTITION OF k_con.parts FOR VALUES FROM (10) TO (20);
CREATE INDEX parts_gone ON k_con.parts (b, a);
-- created: index k_con.parts_b
CREATE INDEX parts_b ON k_con.parts (b) WHERE a > 5;
-- created: index k_con.parts_only
CREATE INDEX parts_only ON ONLY k_con.parts (a, b);
-- created: table constraint parts_pkey on k_con.parts by table k_con.parts
ALTER TABLE k_con.parts ADD PRIMARY KEY (a);
-- prepare
CREATE INDEX parts_1_only ON k_con.parts_1 (a, b);
-- altered: index k_con.parts_1_only by index k_con.parts_only
ALTER INDEX k_con.parts_only ATTACH PARTITION k_con.parts_1_only;
-- altered: table constraint parts_pkey on k_con.parts by table k_con.parts
ALTER TABLE k_con.parts REPLICA IDENTITY USING INDEX parts_pkey;
-- renamed: index k_con."parts b"
ALTER INDEX k_con.parts_b RENAME TO "parts b";
-- dropped: index k_con.parts_gone
DROP INDEX k_con.parts_gone;
-- no granted: privileges are on tables and columns
-- commented: index k_con."parts b"
COMMENT ON INDEX k_con."parts b" IS 'parts';

-- kind: statistics object
-- dumped as: STATISTICS
-- prepare
CREATE STATISTICS k_con.st_gone ON a, b FROM k_con.ix;
-- created: statistics object k_con."st x"
CREATE STATISTICS k_con."st x" (ndistinct, mcv) ON a, b FROM k_con.ix;
-- created: statistics object k_con.st_expr
CREATE STATISTICS k_con.st_expr ON (a + 1), lower(b) FROM k_con.ix;
-- created: statistics object k_con.st_one
CREATE STATISTICS k_con.st_one ON (a * 2) FROM k_con.ix;
-- altered: statistics object k_con."st x"
ALTER STATISTICS k_con."st x" SET STATISTICS 77;
ALTER STATISTICS k_con."st x" OWNER TO kinds_writer;
-- renamed: statistics object k_con.st
ALTER STATISTICS k_con."st x" RENAME TO st;
-- prepare
CREATE SCHEMA k_con2;
-- renamed: statistics object k_con2.st
ALTER STATISTICS k_con.st SET SCHEMA k_con2;
-- dropped: statistics object k_con.st_gone
DROP STATISTICS k_con.st_gone;
-- no granted: there are no privileges on it
-- commented: statistics object k_con2.st
COMMENT ON STATISTICS k_con2.st IS 'st';
