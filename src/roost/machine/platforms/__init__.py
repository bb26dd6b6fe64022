"""One module for each cloud; user-data brings the one that the machine needs."""
