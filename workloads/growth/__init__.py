"""One file, one way in which frameworks are known to grow."""
