"""One file, one detector. See `monitors.detection.judge.Detector`."""
