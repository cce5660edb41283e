"""What a decoded transaction means: its DDL, its rows of history tables, its calls of the SQL API."""
