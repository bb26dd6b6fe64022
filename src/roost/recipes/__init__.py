"""What a machine sets up and runs on itself, as data."""
