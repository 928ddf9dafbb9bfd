"""Compiles the network when a package is built or installed from a clone, so that a wheel carries the library.

Without a C compiler the package is built all the same, and the network runs in PyTorch.
"""

import os
import platform
import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        try:
            from asr.runtime.native.build import LIBRARY, MACOS, main
        finally:
            sys.path.remove(self.root)
        main()
        if LIBRARY.exists() and version != "editable":
            build_data["artifacts"].append(os.path.relpath(LIBRARY, self.root))
            build_data["tag"] = f"py3-none-{_platform(MACOS)}"
            build_data["pure_python"] = False


def _platform(macos: str) -> str:
    """The wheel's platform tag. The library is of one architecture, also where Python is of two."""
    own = f"macosx-{macos}-{platform.machine()}" if sys.platform == "darwin" else sysconfig.get_platform()
    return own.replace("-", "_").replace(".", "_")
