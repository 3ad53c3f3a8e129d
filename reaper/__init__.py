"""reaper evicts the zombie rows of an API Gateway WebSocket API from DynamoDB, never a live one.

The tree is the flow. A row walks through ``sweep/``, and what is decided about it is in ``core/``:

    aws/dynamodb/scan.py ─▶ sweep/triage.py ─▶ sweep/probes.py, prober.py ◀─▶ aws/gateway.py
                                                          │
                                                          ▼
    core/report/ ◀─ sweep/eviction/ ◀─ sweep/breaker.py ◀─ sweep/evidence/ ◀─ sweep/answers.py
         │
         ▼
    telemetry/

Around it: ``cli`` dispatches to ``commands/``; ``wiring`` makes what runs from ``config/``;
``daemon/`` is the process, ``schedule/`` says who sweeps what and when, ``worker`` does one sweep
after another.
"""

__version__ = "0.1.0"
