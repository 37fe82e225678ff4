"""Bytes from the network to sessions and back."""
