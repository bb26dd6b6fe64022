"""What is wanted: the spec file, read and checked."""
