-- DDL in procedures that commit, functions, DO blocks, after exceptions, as another role, as a replica.
CREATE PROCEDURE pr() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE p1 (a int); COMMIT; ALTER TABLE p1 ADD b int;
\ ROLLBACK; CREATE TABLE p2 (a int); COMMIT; ALTER TABLE p2 RENAME TO p3; END $$
CALL pr()
DO $$ BEGIN BEGIN CREATE TABLE ex (a int PRIMARY KEY); RAISE 'x'; EXCEPTION WHEN OTHERS THEN CREATE TABLE ex (b
\ text UNIQUE); END; ALTER TABLE ex ADD COLUMN c int CHECK (c > 0); END $$
DO $$ BEGIN FOR i IN 1..5 LOOP BEGIN EXECUTE format('CREATE TABLE loop%s (a int)', i); IF i % 2 = 0 THEN RAISE 'x';
\ END IF; EXCEPTION WHEN OTHERS THEN NULL; END; EXECUTE 'GRANT SELECT ON loop1 TO reach_a'; END LOOP; END $$
CREATE FUNCTION ddl() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE TABLE IF NOT EXISTS byfn (a
\ int); ALTER TABLE byfn ADD COLUMN IF NOT EXISTS b int; RETURN 1; END $$
SELECT ddl()
DO $$ BEGIN PERFORM ddl(); DROP TABLE byfn; PERFORM ddl(); ALTER TABLE byfn RENAME TO byfn2; PERFORM ddl(); END $$
!DO $$ BEGIN CREATE TABLE never (a int); RAISE 'x'; END $$
CREATE TABLE one (a int); CREATE TABLE two (a int); ALTER TABLE one ADD b int; DROP TABLE two
SET session_replication_role = replica; CREATE TABLE rep (a int PRIMARY KEY); ALTER TABLE rep RENAME TO repp; RESET
\ session_replication_role
CREATE SCHEMA own AUTHORIZATION reach_a
SET ROLE reach_a; CREATE TABLE own.t (a int); GRANT SELECT ON own.t TO reach_b; RESET ROLE
