"""soak: long-running memory and stability soak tests for TensorFlow and PyTorch."""

__version__ = "0.1.0"
