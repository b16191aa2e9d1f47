"""``/account``: what a person sees and decides about their own account. One module per kind of page."""
