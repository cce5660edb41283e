"""Which DDL belongs to which migration, decided purely, with the evidence."""
