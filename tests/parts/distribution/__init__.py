"""A model of what docker-registry 2.8.2 does, over any storage, kept true by a test.

Written after its source (docker/distribution), function by function, its errors included:
`tests/sample/test_in_process_registry.py` asks it and the real one the same and wants the same answers.
"""
