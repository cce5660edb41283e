"""Reading the history: references, records, differences."""
