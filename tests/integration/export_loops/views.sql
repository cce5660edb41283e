-- opened: view a
CREATE VIEW a AS SELECT 1::numeric(5,2) AS x, 'y'::varchar(20) AS y, 'z' COLLATE "C" AS "Z"" z
evil", now() AS t, ARRAY['a'::char(3)] AS arr, B'1'::bit(4) AS b, '1'::interval(3) AS iv, 'x'::"char" AS ch;
CREATE VIEW b AS SELECT * FROM a;
CREATE OR REPLACE VIEW a WITH (security_barrier) AS SELECT b.* FROM b;
COMMENT ON VIEW a IS 'hello'; COMMENT ON COLUMN a.x IS 'xx';
GRANT SELECT ON a TO reader; GRANT SELECT (x) ON b TO reader; ALTER VIEW a OWNER TO writer;
ALTER VIEW a ALTER COLUMN x SET DEFAULT 5;
