"""The commands, a file each, with its arguments."""
