"""Processes of this machine: who is at the other end of a connection, what it is, where it works, and its exit."""
