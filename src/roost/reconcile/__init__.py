"""The loop: observe, plan, apply."""
