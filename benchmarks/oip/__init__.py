"""What the form of a request of the Open Inference Protocol costs."""
