"""The embedded engine: a deterministic core that plays the cluster's part, and its driver."""
