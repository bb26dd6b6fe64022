"""Images of machines: make them, list, copy, share and delete them, on any cloud that can."""
