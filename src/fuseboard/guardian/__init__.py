"""The dead man: a process of its own that acts when the gateway is dead, stopped or hung."""
