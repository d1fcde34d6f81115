"""The door that strategies connect to: sessions, keys, attribution, answers; none of the rules."""
