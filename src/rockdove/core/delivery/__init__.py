"""From the log to the devices: fan-out, window, backlog."""
