"""`soak diagnose`: a suspected trial, replayed for a short time with what is too heavy for a soak."""
