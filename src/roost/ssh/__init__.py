"""How to reach what runs: shells, browsers, logs."""
