"""History tables: how they are found, and what a change of a row means."""
