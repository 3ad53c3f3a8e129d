"""What answers prove: of one id, and of the endpoint that gives them."""
