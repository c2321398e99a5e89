"""Which network for these pictures, this device and this time."""
