"""Mails to people: written down with the act that caused them, sent afterwards."""
