"""From the first factor to a session, and the way back for those who lost a factor."""
