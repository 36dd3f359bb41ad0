"""The wiring: settings, checks, logs, and the supervisor that runs it all."""
