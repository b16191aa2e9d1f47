"""Other people's time-stamping authorities: asked, doubted, and passed over while they fail."""
