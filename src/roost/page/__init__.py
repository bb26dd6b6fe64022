"""The page of ``roost web``: a front end beside the command line, on this computer alone."""
