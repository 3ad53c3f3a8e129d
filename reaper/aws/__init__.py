"""AWS's services: one a file, or one a folder."""
