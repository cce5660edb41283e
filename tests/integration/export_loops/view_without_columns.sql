-- opened: view "none"
CREATE VIEW none AS SELECT;
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM none; END;
CREATE OR REPLACE VIEW none AS SELECT FROM generate_series(1, f());
