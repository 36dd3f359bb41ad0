"""Real programs the suite talks to: found here, started by the suite, never imitated."""
