"""Plans into tables, with the progress, in one transaction."""
