"""How fast and how large: latency, memory, heat, and in emulation instructions."""
