"""The v3 request-reply protocol: bytes in, bytes out, no I/O."""
