"""One file, one detector. See `monitors.detection.Detector`."""
