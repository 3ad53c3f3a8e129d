"""What the daemon shows over HTTP: the status page, its numbers, health and Prometheus' metrics."""
