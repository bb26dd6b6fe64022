"""Images of machines at a site: bake, list, share."""
