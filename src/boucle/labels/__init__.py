"""Ground truth: the outcomes that callers send later, kept once each and joined with what was predicted."""
