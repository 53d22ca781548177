"""What ``statefun-nb demo`` runs."""
