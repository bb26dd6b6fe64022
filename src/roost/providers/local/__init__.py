"""The user's own machine as a cloud: every instance is a folder and a few processes."""
