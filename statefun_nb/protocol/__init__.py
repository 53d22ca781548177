"""What StateFun speaks: its request-reply protocol, versions 3 and 2, and module.yaml; no I/O."""
