"""soak: long-running memory and stability soak tests for TensorFlow and PyTorch."""

from soak.heartbeat import beat, done

__version__ = "0.1.0"
__all__ = ["beat", "done"]
