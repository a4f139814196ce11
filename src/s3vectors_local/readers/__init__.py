"""Processes that answer plain queries beside the one that writes: an interpreter does one thing at a time.

The server's own process takes all connections. At the head of each request it looks whether this is a query by vector
alone; then the connection goes, with what was read of it, to a reader, and comes back in front of any other request.
Readers hold nothing but what they read: one that ends is started again, and until then the server answers itself.
"""
