"""`python -m stn_client`: the command `stn-client`."""

from stn_client.cli import main

if __name__ == "__main__":
    main()
