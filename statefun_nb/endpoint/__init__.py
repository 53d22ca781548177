"""The HTTP endpoint: Tornado's Application over an HTTP/1 connection parsed by httptools."""
