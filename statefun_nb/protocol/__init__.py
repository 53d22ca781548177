"""What StateFun speaks: its v3 request-reply protocol, and module.yaml; no I/O."""
