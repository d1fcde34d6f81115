"""The pure core: one deterministic fold from inputs to effects. No clock, no files, no sockets."""
