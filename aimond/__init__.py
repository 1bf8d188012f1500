"""aimond: the service that knows every AI coding session on a Linux desktop."""

__version__ = "0.1.0"
