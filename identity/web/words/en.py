"""English."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # The frame
    "site_name": "Absah",
    "site_claim": "Your account",
    "skip": "Skip to the content",
    "language_switch": "Bahasa Indonesia",
    "language_switch_label": "Ganti ke Bahasa Indonesia",
    "nav_account": "My account",
    "footer": "No official will ever ask you for your password or a code.",
    "footer_privacy": "We set no trackers.",
    "for_portal": "To log in to",
    "optional": "(optional)",
    "error_title": "Error: {title}",
    "problems_heading": "Something needs to be corrected",
    # What can go wrong on any page
    "problem_text": "Nothing has changed in your account. Try again in a moment.",
    "problem_incident": "If it keeps failing, give this number to the help desk:",
    "problem_home": "Back to the start",
    "page_unknown_heading": "There is no such page",
    "refused_heading": "The form was not accepted",
    "unreadable_heading": "The form cannot be read",
    "refused_text": "To keep you safe, we did not use what you sent. The cause may be:",
    "refused_old": "the page was open for too long, or you logged in on another tab;",
    "refused_cookies": "your browser refuses cookies;",
    "refused_address": "the address is not the official one, which is:",
    "refused_again": "Open the page again",
}
