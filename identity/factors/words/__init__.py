"""Words that many people build passwords from, and the script that packs them."""
