"""The trace: what every invocation saw and did, whichever engine drives it."""
