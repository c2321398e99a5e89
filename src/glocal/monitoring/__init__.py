"""What a run reports while it trains: log, alerts, display, time estimates, trackers, plots."""
