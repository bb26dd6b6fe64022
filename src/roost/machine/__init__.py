"""The programs of a rented machine itself: plain Python 3.11 of the system, nothing else.

These files travel in the user-data, to ``/usr/lib/roost/roost/machine``; every path is
below a root, so that the tests run them as they are.
"""
