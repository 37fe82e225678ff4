"""Bytes to commands and back: the part that server and SDK share."""
