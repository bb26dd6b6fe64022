"""Access to machines: shells, browsers, logs."""
