"""Rendered driving scenes with exact labels."""
