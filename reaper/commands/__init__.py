"""The commands, in the order in which an operator meets them: a file each, with its arguments."""
