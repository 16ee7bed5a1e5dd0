"""Starting programs beside a test; `sample` needs the same and has it."""

from sample.process import Process, ProcessError

__all__ = ["Process", "ProcessError"]
