"""The store that forgets: for tests and the simulator."""
