"""What a person looks at: the dashboard, its small relatives, and the static snapshot."""
