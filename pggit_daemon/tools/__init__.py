"""Presets of the migration tools, and what finds their history tables."""
