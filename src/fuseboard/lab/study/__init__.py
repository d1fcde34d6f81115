"""The flash crash study: each tape and strategy, with the gate and without, and what it shows."""
