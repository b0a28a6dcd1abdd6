"""Memory that training on pictures takes."""
