"""Measuring a cycle: against the registry's own limit, against bare aiohttp, and over a growing registry."""
