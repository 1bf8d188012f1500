"""Holds what ``aimond replay`` says about recorded tapes against what really happened."""
