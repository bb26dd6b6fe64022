"""S3: client, configuration, failures."""
