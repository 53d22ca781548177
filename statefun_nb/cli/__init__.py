"""``statefun-nb``: what can be done without a notebook."""
