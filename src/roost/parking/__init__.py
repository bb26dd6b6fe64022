"""Parking: save the work of a name, stop paying, and bring it back."""
