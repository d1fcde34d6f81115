"""The flash crash study: every tape, each strategy, with the gate and without."""
