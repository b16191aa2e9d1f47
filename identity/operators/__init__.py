"""People with duties here: roles, and which of them exclude each other."""
