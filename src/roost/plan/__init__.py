"""Plans: from what is wanted and what is there to steps. Pure: no clock, no network, no files."""
