"""Who looked up what about whom: written down for the people whom it is about."""
