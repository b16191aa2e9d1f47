"""Pages of identity: forms, cookies, words and templates."""
