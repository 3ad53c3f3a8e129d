"""What a sweep found and did, and what is to be told of it."""
