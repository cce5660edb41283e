"""The oracle: what the daemon recorded from events, held against the catalog and against pg_dump, moment by moment.

`watched.py` is the driver; scripts come from `statements.py` (SQL, statement by statement) or from the tools of
`sandbox/histories.py` (migration by migration). The figures of a run are printed at its end.
"""
