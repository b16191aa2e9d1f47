"""``/proposals``: what waits for a second pair of eyes before a system of an agency may do more."""
