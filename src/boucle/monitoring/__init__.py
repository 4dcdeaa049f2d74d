"""Watching: windows of profiles give checks, checks give alerts. No clock, disk or network: all comes as arguments."""
