"""Where alerts go: one module per way to a person."""
