"""The process: what it does until a signal comes, and how it ends."""
