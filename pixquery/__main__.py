"""`python -m pixquery`: the same as the command `pixquery`."""

from pixquery.commands.entry import main

if __name__ == "__main__":
    main()
