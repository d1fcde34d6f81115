"""The journal: every input with its effects, durable, hash-chained, and readable by anybody."""
