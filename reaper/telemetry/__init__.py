"""What operators see: logs, audit log, metrics, alerts, progress and health."""
