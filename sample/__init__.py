"""A real registry to try things on: content for it, ways to push it and ways to damage it."""
