"""What the gateway tells of itself: metrics, logs and traces."""
