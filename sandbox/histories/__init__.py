"""Real migration histories from public packages: fetched once into `.cache/histories/`, run by their own tools.

`fetch.py` brings them, `run.py` runs them migration by migration. What is pinned: `python.txt`, `node/`.
"""
