"""SELECTs as views have them: what `{query}` stands for."""

QUERIES = """
    2* SELECT * FROM {relation}
    2* SELECT {relation.some} FROM {relation} WHERE {relation.cond}
    SELECT * FROM {relation} x <<JOIN|LEFT JOIN|FULL JOIN>> {relation2} y USING ({using})
    2* SELECT x.* FROM {relation} x <<JOIN|LEFT JOIN>> {relation2} y USING ({using})
    SELECT {using} FROM {relation} x FULL JOIN {relation2} y USING ({using})
    SELECT p FROM {relation} AS x(p)
    SELECT p, q FROM {relation} AS x(p, q)
    SELECT x.* FROM {relation} AS x(p)
    SELECT {key.all}, count(*) AS n FROM {key.of} GROUP BY {key.all}
    SELECT x.*, count(*) AS n FROM {key.of} x GROUP BY {key.all}
    SELECT {relation.col} AS a, count(*) AS n FROM {relation} GROUP BY {relation.col}
    WITH w AS (SELECT * FROM {relation}) SELECT w.*, y AS whole FROM w, {relation2} y
    SELECT {relation.some} FROM {relation} UNION ALL SELECT {relation.some} FROM {relation} WHERE {relation.cond}
    SELECT * FROM {relation} UNION SELECT * FROM {relation2}
    2* SELECT {rowcall}(x) AS a FROM {relation} x
    SELECT x.*, {call} AS f FROM {relation} x
    SELECT * FROM {call} AS f
    SELECT x, x.* FROM {relation} x WHERE EXISTS (SELECT FROM {relation2} WHERE {relation2.cond})
    SELECT x.*, {relation.expr} AS expr FROM {relation} x
    SELECT (SELECT count(*) FROM {relation2}) AS n, {relation.col} AS a FROM {relation} ORDER BY {relation.col}
    SELECT x.{relation.col} AS a, lag(x.{relation.col}) OVER (ORDER BY x.{relation.col}) AS b FROM {relation} x
    SELECT NULL::{type} AS a, NULL::{type}[] AS b
    SELECT {enum.col}::{enum} AS a, 1 AS id
    SELECT NULL::{columntype} AS a, 1 AS id
    SELECT y.* FROM {relation} x, LATERAL (SELECT x.{relation.col} AS a, z.* FROM {relation2} z) y
    SELECT nextval('{sequence}') AS id
"""
