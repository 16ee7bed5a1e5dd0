"""What intact means: the walk, one table that judges answers, confirmation, a cycle and its report."""
