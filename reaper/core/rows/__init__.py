"""From a DynamoDB item to a connection row."""
