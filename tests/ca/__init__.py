"""Certification judged by independent tools."""
