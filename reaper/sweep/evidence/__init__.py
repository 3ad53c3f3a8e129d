"""Suspects, and the witnesses and panels who show whether the gateway tells the truth."""
