"""The mail store: the only writer of rows of mail: of folders, entries, what left them, changes."""

from accounts import commit
from accounts.mailstore import changes

commit.listen(changes.publish)
