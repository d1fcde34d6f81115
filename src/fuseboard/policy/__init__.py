"""What the gate decides by: a YAML file, validated into one frozen policy with a digest."""
