"""OpenVINO, without what it takes along: the only file that imports it.

Its model converter comes with usage statistics, which start a thread and want the network; it does
without both where the converter fails to import. They are half of the time its import takes, too.
"""

import sys

_CONVERTER = "openvino.tools.ovc"
sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

if sys.modules[_CONVERTER] is None:
    del sys.modules[_CONVERTER]

__all__ = ["ov"]
