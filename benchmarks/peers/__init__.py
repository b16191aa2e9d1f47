"""The peers, each set up as well as its public API allows."""
