"""What happens to a row that goes: recheck, audit line, hooks, removal."""
