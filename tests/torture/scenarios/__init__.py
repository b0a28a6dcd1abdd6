"""What is done to the gateway, one file for each kind of trouble."""
