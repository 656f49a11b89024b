# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m affidavit``: the command line where its script is not on the path."""

from affidavit.cli import main

if __name__ == "__main__":
    main()
