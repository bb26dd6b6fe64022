"""The page of ``roost web``: a front end beside the command line, on this computer alone.

``static/htmx.min.js`` is htmx 2.0.10, as its authors built it; its licence is beside it.
"""
