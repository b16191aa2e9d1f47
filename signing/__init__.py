"""A PDF becomes a sealed document."""
