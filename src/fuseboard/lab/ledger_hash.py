"""A ledger that is not kept, only hashed: a long trial's would not fit into memory."""

import hashlib


class LedgerHash:
    """The digest of an exchange's ledger, line by line."""

    def __init__(self) -> None:
        self._hashed = hashlib.sha256()
        self.lines = 0

    def record(self, line: bytes) -> None:
        """One more line, without its newline."""
        self._hashed.update(line)
        self._hashed.update(b"\n")
        self.lines += 1

    def digest(self) -> str:
        """Hex SHA-256 of what came so far."""
        return self._hashed.hexdigest()
