"""What `reaper check` finds out before anything is swept."""
