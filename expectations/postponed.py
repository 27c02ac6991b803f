"""Libraries that Great Expectations imports and no check of ours uses are imported when they are first touched.

Plotting and statistics are a third of what its import costs, and every night pays for it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Postponed(ModuleType):
    """Stands for a module until something of it is asked for, and passes everything on from then on."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system looks at these; a module that is not there has none
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def postpone(*names: str) -> None:
    """From now on importing one of these gives a stand-in; a module that is there already stays."""
    for name in names:
        sys.modules.setdefault(name, _Postponed(name))
