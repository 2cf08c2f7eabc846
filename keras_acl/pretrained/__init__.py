"""Pre-trained weights: presets, folders, the Hub, and importers of public checkpoints."""
