"""``/agency``: an agency's administrators look after its systems, their keys, and who signs for it."""
