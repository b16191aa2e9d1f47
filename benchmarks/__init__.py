"""Measures Absah beside a peer, in the same run and on the same input."""
