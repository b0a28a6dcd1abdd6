"""What a request costs the gateway, part by part."""
