"""Speaking to a registry through its HTTP API. Knows HTTP and the distribution specification, not integrity."""

from exporter.registry.requests import Purpose, RequestObserver, Tally

__all__ = ["Purpose", "RequestObserver", "Tally"]
