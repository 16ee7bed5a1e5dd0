"""When asking ends, because whoever wants to know cannot wait for longer."""

import asyncio
from dataclasses import dataclass

from exporter.registry.requests import Purpose


@dataclass(slots=True)
class Deadline:
    """The moments of the event loop at which asking ends: at `walk` for what is new, at `end` altogether.

    Between the two, what was found is confirmed. `missed` tells whether anything was left unasked.
    """

    walk: float
    end: float
    missed: bool = False

    def moment(self, purpose: Purpose) -> float:
        """Until when may be asked for a purpose."""
        return self.end if purpose is Purpose.CONFIRMATION else self.walk

    def is_past(self, purpose: Purpose) -> bool:
        """Whether it is too late to ask for a purpose."""
        return asyncio.get_running_loop().time() >= self.moment(purpose)
