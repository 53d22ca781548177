"""What users write functions with, and what serves them: bytes in, bytes out."""
