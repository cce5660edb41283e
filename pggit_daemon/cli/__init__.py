"""The command line: thin commands over the rest of the package.

In: arguments, the configuration, a database. Out: tables or one JSON document on stdout, logs and errors on
stderr, and an exit code (`main.py` lists them). One file per group of commands.
"""
