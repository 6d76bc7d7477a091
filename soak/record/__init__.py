"""Everything stored of a run."""
