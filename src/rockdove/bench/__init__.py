"""rockdove bench: measures a server from outside, and checks while it measures that nothing is lost, doubled or out of order.

It knows the wire alone: the server is another process, its own or somebody else's.
"""
