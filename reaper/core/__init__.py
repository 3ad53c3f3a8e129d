"""The decisions: pure functions over plain values, the clock passed in, no I/O."""
