"""One video file <-> frames: everything that touches FFmpeg (through PyAV), and no Keras."""
