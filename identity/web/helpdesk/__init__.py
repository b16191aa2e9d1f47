"""``/help-desk``: closing an account that is in danger, and opening it again."""
