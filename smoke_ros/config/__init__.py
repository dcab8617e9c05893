"""Configuration: frozen dataclasses that are the only home of defaults."""
