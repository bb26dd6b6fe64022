"""What must be done, as data: wanted + have -> steps. Pure: no clock, no network, no files."""
