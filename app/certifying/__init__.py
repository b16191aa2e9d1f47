"""Certificates as people look after them: what there is, what is due, and who may change it."""
