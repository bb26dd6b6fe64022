"""The nouns and verbs that all of roost shares: resources and steps."""
