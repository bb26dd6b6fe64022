"""OpenStack: so far only the limits of a file."""
