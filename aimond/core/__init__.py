"""What is true: events, turns, sessions and their states. No I/O, no asyncio, no clock; times are µs since the
epoch."""
