-- opened: view v
CREATE TABLE t (id int);
CREATE VIEW v AS SELECT id FROM t;
ALTER TABLE t ADD COLUMN row_of v, ADD COLUMN rows v[];
