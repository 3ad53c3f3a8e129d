"""The outside that AWS is: one system per file. What fails here comes back as a value or an
error that an operator understands."""
