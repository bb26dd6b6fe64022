"""OpenStack: so far only what a file may ask of it."""
