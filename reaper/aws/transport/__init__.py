"""Signed HTTP: connections, signatures, trust and proxies."""
