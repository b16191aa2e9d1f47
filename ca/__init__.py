"""Who is certified, until when, and what time it is."""
