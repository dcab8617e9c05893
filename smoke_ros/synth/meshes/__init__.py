"""The shapes of vehicles, people and everything that stands along streets."""
