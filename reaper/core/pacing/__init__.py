"""How fast to ask, and how many requests to have in flight."""
