"""The breakers and the guard as a library, for people who embed them in their own program."""
