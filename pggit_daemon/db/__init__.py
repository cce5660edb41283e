"""Connections and the catalog queries that several folders use."""
