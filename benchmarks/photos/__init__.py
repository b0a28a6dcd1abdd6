"""Photos through the gateway, beside libraries that do the same work."""
