from tests.bus.conftest import bus, service, source

__all__ = ["bus", "service", "source"]
