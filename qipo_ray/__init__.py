"""qipo_ray: distributed search for good offline-RL policies with QIPO."""

__version__ = "0.1.0"
