"""What is told of sweeps: logs, audit log, alerts, metrics, pages."""
