"""``/operators``: auditors see who holds which role, confirm what others proposed, and end what must end."""
