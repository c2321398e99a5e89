"""What candidates cost on the device, before the race, and which of them are over a limit."""
