"""The wire of the simulator: the exchange's frames, codes and limits over real sockets.

`run_simulator` runs it in a thread, `Simulator` inside an asyncio loop.
"""

from bybitd.simulator.wire.limits import RateLimits
from bybitd.simulator.wire.running import RunningSimulator, run_simulator
from bybitd.simulator.wire.server import Simulator, WireConfig

__all__ = ["RateLimits", "RunningSimulator", "Simulator", "WireConfig", "run_simulator"]
