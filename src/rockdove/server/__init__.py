"""The one place that knows all parts: configure, build, start, stop."""
