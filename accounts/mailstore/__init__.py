"""The mail store: the only writer of rows of mail: of folders, entries, what left them, changes."""

from accounts import commit
from accounts.mailstore import changes, index

commit.follow(index.follow)
commit.listen(changes.publish)
