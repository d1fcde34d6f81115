"""The strategies that ship with the lab: small, readable, deterministic, and no advice."""
