"""What is done in quiet moments: baseline, verification, history tables, definitions, sessions."""
