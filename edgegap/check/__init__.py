"""Float against int8: what was lost, and whether the files agree."""
