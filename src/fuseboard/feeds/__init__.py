"""Market data: one module per outside party, and the tapes that stand in for one."""
