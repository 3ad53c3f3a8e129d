"""What a population of connections will need and cost."""
