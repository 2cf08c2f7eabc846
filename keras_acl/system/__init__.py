"""What the machine and the frameworks below have to say: devices, memory, files, lazy imports."""
