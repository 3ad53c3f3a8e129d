"""The table: described, scanned, read, and changed on condition."""
