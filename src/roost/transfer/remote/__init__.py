"""The sync that runs on another machine: client, protocol, and the unit there."""
