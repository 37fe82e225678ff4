"""What the system does, without a socket, file, clock, thread or random number."""
