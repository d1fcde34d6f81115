"""Looking after a state directory: backups, restoring one, drills. Evidence that each was tried."""
