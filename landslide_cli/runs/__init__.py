"""A trained run, and what it predicts."""
