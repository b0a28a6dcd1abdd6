"""What the command `stn-client` can do, one file for each."""
