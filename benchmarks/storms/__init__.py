"""Storms: what chance does to files, requests and processes, beside an oracle that knows better."""
