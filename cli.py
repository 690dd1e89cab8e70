"""`python cli.py` in a clone: the same as `pixquery` once it is installed."""

from pixquery.commands.entry import main

if __name__ == "__main__":
    main()
