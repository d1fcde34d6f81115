"""What runs: intake, loop, outlet, clock, request budget; it knows no broker and no feed."""
