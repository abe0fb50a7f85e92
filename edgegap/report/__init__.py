"""Records drawn for people. Reports compute nothing."""
