pytest_plugins = ["tests.parts.fixtures"]
