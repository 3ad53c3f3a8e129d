"""Who sweeps which part of the table, and when: one worker by itself, or many."""
