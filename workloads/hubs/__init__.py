"""What is loaded through the hubs of frameworks: a `hubconf.py` for `torch.hub`, and a model for `tensorflow_hub`.

Both are a model of voice activity that its package, silero-vad, ships with its weights: nothing is downloaded.
"""
