"""Where the effects are: one package or module for each cloud, and the loop that drives them."""
