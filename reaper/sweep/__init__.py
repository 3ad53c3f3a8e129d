"""The way of a row through one sweep, from triage to eviction."""
