"""Images of machines on EC2: look up, bake, list, share."""
