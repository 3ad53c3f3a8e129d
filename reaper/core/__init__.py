"""Decisions, and nothing else: the standard library only, no clock, no chance, no I/O."""
