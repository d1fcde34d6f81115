"""Out of the market without a kernel: cancel everything and close, at the broker alone."""
