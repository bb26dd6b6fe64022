"""The set-up and services of machines, as data."""
