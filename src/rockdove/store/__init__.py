"""Where messages and accounts are kept."""
